// The jail of the process that serves directories of the host to one guest (virtiofsd), as an OCI configuration: pure.
//
//   /share/0, /share/1, …   the directories and files, nothing else of the host: each a bind mount, read-only where the
//                           guest may only read. The guest mounts /share as one virtio file system
//
// The server answers in the guest's name, so it is root with the rights over files that a container's root has, and
// none to make devices, mount, trace or use a network. It is shut in twice: the jail has only the shares, and the
// server changes its root to /share. A guest's symbolic links are never followed here; its own kernel does that, in its
// own tree (virtiofs, Linux Documentation/filesystems/virtiofs.rst).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "wire/oci_spec.h"

namespace skerry::qemu {

struct ShareJailInputs {
  std::string rootfs;                 // made by make_jail_root(), with a directory /share
  std::string program;                // virtiofsd, below /usr
  std::vector<oci::Mount> shares;     // bind mounts; the destination is filled in: share_name(index)
  std::uint32_t memory_mib = 0;       // the guest's: the server maps it
  std::uint32_t cpu_milli = 1000;     // the VMM's quota, once more: its work is the guest's
  std::uint64_t most_files = 20'000;  // descriptors: one for each file the guest's cache knows
  int listener_fd = 3;                // the listening socket it inherits
};

// What the guest asks the kernel for: mount -t virtiofs.
inline constexpr const char* kShareTag = "skerry";
// Name of a share within the file system.
std::string share_name(std::size_t index);

oci::Spec share_jail(const ShareJailInputs& inputs);

}  // namespace skerry::qemu
