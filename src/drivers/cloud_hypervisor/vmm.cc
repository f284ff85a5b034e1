#include "drivers/cloud_hypervisor/vmm.h"

#include <fcntl.h>

#include <algorithm>

#include "base/file_io.h"
#include "base/log.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "drivers/qemu/jail_parts.h"
#include "drivers/qemu/vmm_jail.h"

namespace skerry::cloud_hypervisor {
namespace {

using qemu::VmmSpec;

// Numbers in the VMM. The agent comes by a socket with a name; the keeper still wants a number for its channel.
constexpr int kAgentFd = 3;
constexpr int kApiFd = 4;

constexpr const char* kJailProgram = "/vm/vmm";
constexpr const char* kJailChannel = "/run/vm";
constexpr const char* kVsock = "vsock";
constexpr const char* kAgentSocket = "vsock_1024";  // the VMM's name for port 1024 (docs/vsock.md)

// What it calls beyond QEMU's list, by its own filters (vmm/src/seccomp_filters.rs): its API server, the sockets of its
// vsock, and disks by Linux AIO.
constexpr std::string_view kMoreCalls =
    "bind listen accept4 unlink unlinkat io_setup io_submit io_getevents io_destroy sched_setaffinity tkill kill "
    "setsid mlock munlock getpgid";

constexpr Duration kCallTimeout = std::chrono::seconds(10);
// Until the new process serves; the machine's memory and devices are made in the calls after it.
constexpr Duration kServeTimeout = std::chrono::seconds(20);

std::string api_socket(const EnvironmentPlace& place) { return place.run_dir + "/api.sock"; }
std::string channel_directory(const EnvironmentPlace& place) { return place.run_dir + "/channel"; }
std::string disk_path(std::size_t index) { return cat("/vm/disk", index); }

Status make_rootfs(const std::string& path, const VmmSpec& spec) {
  TRY(qemu::make_jail_root(path));
  TRY(sys::mkdir_all(path + "/vm", 0755));
  TRY(sys::mkdir_all(path + kJailChannel, 0755));
  std::vector<std::string> files{kJailProgram, qemu::kJailKernel, qemu::kJailInitramfs};
  for (std::size_t i = 0; i < spec.disks.size(); ++i) files.push_back(disk_path(i));
  for (const auto& file : files) TRY(sys::open(path + file, O_WRONLY | O_CREAT, 0644));
  return {};
}

// Below the environment's own directories; else it is shared.
bool is_own(const EnvironmentPlace& place, std::string_view path) {
  return path.starts_with(place.state_dir + "/") || path.starts_with(place.run_dir + "/");
}

Result<oci::Mount> disk_mount(const EnvironmentPlace& place, const qemu::VmmDisk& disk, std::size_t index,
                              std::uint32_t uid) {
  const std::string path = TRY(sys::readlink(cat("/proc/self/fd/", disk.file.get())));
  oci::Mount mount = qemu::read_only_bind(path, disk_path(index));
  if (!disk.read_only) std::ranges::replace(mount.options, std::string("ro"), std::string("rw"));
  mount.options.emplace_back("noexec");
  if (is_own(place, path)) {
    TRY(sys::chown(path, uid, uid));
  } else {
    mount.uid_mappings = {{0, uid, 1}};
    mount.gid_mappings = {{0, uid, 1}};
  }
  return mount;
}

Result<std::vector<oci::Mount>> mounts(const EnvironmentPlace& place, const VmmSpec& spec, std::uint32_t uid) {
  std::vector<oci::Mount> out;
  out.push_back(qemu::read_only_bind(spec.program, kJailProgram));
  out.push_back({kJailChannel, "bind", channel_directory(place), {"bind", "rw", "nosuid", "nodev", "noexec"}, {}, {}});
  for (std::size_t i = 0; i < spec.disks.size(); ++i) {
    out.push_back(TRY(disk_mount(place, spec.disks[i], i, uid)));
  }
  return out;
}

Result<oci::Spec> jail_config(const EnvironmentPlace& place, const VmmSpec& spec) {
  qemu::VmmJailInputs inputs;
  inputs.rootfs = place.run_dir + "/vmm";
  inputs.kernel = spec.boot.kernel;
  inputs.initramfs = spec.boot.initramfs;
  inputs.uid = qemu::vmm_uid(place.id);
  inputs.memory_mib = spec.memory_mib;
  inputs.cpu_milli = spec.cpu_milli;
  inputs.kvm = true;
  inputs.argv = process_arguments(kJailProgram, kApiFd);
  inputs.more_calls = kMoreCalls;
  TRY(make_rootfs(inputs.rootfs, spec));
  const auto channel = channel_directory(place);
  TRY(sys::mkdir_all(channel, 0700));
  TRY(sys::chown(channel, inputs.uid, inputs.uid));
  inputs.mounts = TRY(mounts(place, spec, inputs.uid));
  return qemu::vmm_jail(inputs);
}

}  // namespace

Machine machine_of(const VmmSpec& spec) {
  Machine machine;
  machine.vcpus = qemu::vcpus_of(spec);
  machine.memory_mib = spec.memory_mib;
  machine.kernel = qemu::kJailKernel;
  if (!spec.boot.initramfs.empty()) machine.initramfs = qemu::kJailInitramfs;
  machine.command_line = spec.command_line;
  for (std::size_t i = 0; i < spec.disks.size(); ++i) {
    machine.disks.push_back({spec.disks[i].serial, disk_path(i), spec.disks[i].read_only});
  }
  machine.vsock = cat(kJailChannel, "/", kVsock);
  if (spec.tap) machine.network = NetworkCard{spec.mac, spec.tap.get()};
  return machine;
}

Result<pid_t> make_vmm(Jail& jail, const EnvironmentPlace& place, const VmmSpec& spec) {
  JailSpec jailed;
  jailed.config = TRY(jail_config(place, spec));
  jailed.channels = {{"agent", kAgentFd, ChannelMode::kFramed}};
  jailed.guest_socket = cat(channel_directory(place), "/", kAgentSocket);
  const Fd api = TRY(unix_listen(api_socket(place), 0600, 4));
  jailed.fds = {{api.get(), kApiFd}};
  return jail.create(place, jailed);
}

Result<ApiClient> connect_vmm(const EnvironmentPlace& place) { return ApiClient::connect(api_socket(place)); }

Status boot_vmm(const EnvironmentPlace& place, const VmmSpec& spec) {
  auto api = TRY(connect_vmm(place));
  const std::string found = TRY(version(TRY(api.call(ping(), kServeTimeout))));
  const Machine machine = machine_of(spec);
  // For people who want to see the machine without us.
  log::debug("boots under Cloud Hypervisor",
             {{"name", place.name}, {"version", found}, {"as", join(command_line(machine, spec.program), " ")}});
  TRY(api.call(create(machine), kCallTimeout));
  if (machine.network) TRY(api.call(add_net(*machine.network), kCallTimeout, {machine.network->tap_fd}));
  TRY(api.call(boot(), kCallTimeout));
  return {};
}

}  // namespace skerry::cloud_hypervisor
