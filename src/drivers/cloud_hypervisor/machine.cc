#include "drivers/cloud_hypervisor/machine.h"

#include "base/text.h"
#include "wire/json_writer.h"

namespace skerry::cloud_hypervisor {
namespace {

constexpr std::uint64_t kMib = 1U << 20U;
// What the entropy device hands to the guest.
constexpr const char* kRandomSource = "/dev/urandom";

void write_disks(wire::JsonWriter& json, const Machine& machine) {
  json.key("disks").begin_array();
  for (const auto& disk : machine.disks) {
    // A raw image said to be one is never searched for the header of another format, which a guest could have written.
    json.begin_object()
        .field("path", disk.path)
        .field("readonly", disk.read_only)
        .field("serial", disk.serial)
        .field("image_type", "Raw")
        .end_object();
  }
  json.end_array();
}

}  // namespace

std::vector<std::string> process_arguments(const std::string& program, int api_fd) {
  return {program, "--api-socket", cat("fd=", api_fd), "--seccomp", "true"};
}

std::string vm_config(const Machine& machine) {
  wire::JsonWriter json;
  json.begin_object();
  json.key("payload").begin_object().field("kernel", machine.kernel).field("cmdline", machine.command_line);
  if (!machine.initramfs.empty()) json.field("initramfs", machine.initramfs);
  json.end_object();
  json.key("cpus").begin_object().field("boot_vcpus", machine.vcpus).field("max_vcpus", machine.vcpus).end_object();
  json.key("memory").begin_object().field("size", machine.memory_mib * kMib).end_object();
  if (!machine.disks.empty()) write_disks(json, machine);
  json.key("rng").begin_object().field("src", kRandomSource).end_object();
  if (!machine.vsock.empty()) {
    json.key("vsock").begin_object().field("cid", kGuestCid).field("socket", machine.vsock).end_object();
  }
  // The console is the VMM's standard output; its keeper writes that down.
  json.key("serial").begin_object().field("mode", "Tty").end_object();
  json.key("console").begin_object().field("mode", "Off").end_object();
  json.end_object();
  return std::move(json).text();
}

std::string net_config(const NetworkCard& card) {
  wire::JsonWriter json;
  json.begin_object().field("id", "net0").field("mac", card.mac).end_object();
  return std::move(json).text();
}

std::vector<std::string> command_line(const Machine& machine, const std::string& program) {
  std::vector<std::string> out{program, "--kernel", machine.kernel};
  const auto option = [&](const char* name, std::string value) {
    out.emplace_back(name);
    out.push_back(std::move(value));
  };
  if (!machine.initramfs.empty()) option("--initramfs", machine.initramfs);
  option("--cmdline", machine.command_line);
  option("--cpus", cat("boot=", machine.vcpus, ",max=", machine.vcpus));
  option("--memory", cat("size=", machine.memory_mib, "M"));
  if (!machine.disks.empty()) out.emplace_back("--disk");
  for (const auto& disk : machine.disks) {
    out.push_back(cat("path=", disk.path, ",readonly=", disk.read_only ? "on" : "off", ",serial=", disk.serial,
                      ",image_type=raw"));
  }
  if (machine.network) option("--net", cat("fd=", machine.network->tap_fd, ",mac=", machine.network->mac));
  option("--rng", cat("src=", kRandomSource));
  if (!machine.vsock.empty()) option("--vsock", cat("cid=", kGuestCid, ",socket=", machine.vsock));
  option("--serial", "tty");
  option("--console", "off");
  return out;
}

}  // namespace skerry::cloud_hypervisor
