// A QEMU microVM as a pure value, and the command line it means. Nothing runs here; golden tests read the result.
//
// Source: QEMU 7.2 documentation, "microvm virtual platform" and qemu(1). Every file but kernel and initramfs comes as
// an inherited descriptor, so the process needs no path and no right to open anything.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace skerry::qemu {

enum class Accelerator : std::uint8_t { kTcg, kKvm };

// A raw disk. The guest finds it by its serial.
struct Disk {
  std::string serial;
  int fd = -1;
  bool read_only = true;
};

struct NetworkCard {
  int tap_fd = -1;
  std::string mac;
};

// Memory in a file, so that it can be shared with forks of the machine.
struct MemoryFile {
  int fd = -1;
  bool shared = false;  // true: the template itself; false: copy-on-write, a fork
};

// A virtio file system that another process serves over this connected socket (vhost-user).
struct Share {
  int socket_fd = -1;
  std::string tag;  // what the guest mounts
};

struct Machine {
  std::string name;
  Accelerator accelerator = Accelerator::kTcg;
  std::uint32_t vcpus = 1;
  std::uint32_t memory_mib = 128;
  std::string kernel;     // path as QEMU sees it: bzImage or vmlinux
  std::string initramfs;  // likewise; empty: none, or in the kernel
  std::string command_line;
  int agent_fd = -1;
  int qmp_fd = -1;
  int console_fd = -1;
  std::optional<NetworkCard> network;
  std::vector<Disk> disks;
  std::optional<Share> share;  // needs shared memory
  std::optional<MemoryFile> memory;
  std::vector<std::string> host_devices;  // PCI addresses of the host, bound to vfio-pci; then it has a PCI bus
  bool incoming = false;                  // waits for a migration instead of booting: needs no kernel
};

// The name of the virtio port the agent opens.
inline constexpr const char* kAgentPort = "skerry.agent";

std::vector<std::string> arguments(const Machine& machine, const std::string& program);

}  // namespace skerry::qemu
