// A Cloud Hypervisor microVM as a pure value: the process that runs it, the body of vm.create it means, and the same
// machine as one command line. Nothing runs here; golden tests read the results.
//
// Source: Cloud Hypervisor's docs/api.md, its OpenAPI document (vmm/src/api/openapi/cloud-hypervisor.yaml) and
// docs/{networking,vsock}.md, version 36 or later: --disk is given once, with all disks as its values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace skerry::cloud_hypervisor {

// A raw disk. The guest finds it by its serial.
struct Disk {
  std::string serial;
  std::string path;  // as the VMM sees it
  bool read_only = true;
};

struct NetworkCard {
  std::string mac;
  int tap_fd = -1;
};

struct Machine {
  std::uint32_t vcpus = 1;
  std::uint32_t memory_mib = 128;
  std::string kernel;     // path as the VMM sees it: vmlinux with a PVH entry, or bzImage
  std::string initramfs;  // likewise; empty: none
  std::string command_line;
  std::vector<Disk> disks;
  std::string vsock;  // path of the socket behind which the guest's vsock connections appear (PATH_PORT)
  std::optional<NetworkCard> network;
};

// The guest's own address; one VMM has one guest, so all may have the same.
inline constexpr std::uint32_t kGuestCid = 3;

// The process: without a machine, listening for what it is to do on the inherited socket.
std::vector<std::string> process_arguments(const std::string& program, int api_fd);

// Body of vm.create, all but the network card: its descriptor goes with a request of its own.
std::string vm_config(const Machine& machine);
// Body of vm.add-net; the tap goes along with the request (SCM_RIGHTS).
std::string net_config(const NetworkCard& card);

// All of it as one command line, as somebody would type it who wants to see the machine without us.
std::vector<std::string> command_line(const Machine& machine, const std::string& program);

}  // namespace skerry::cloud_hypervisor
