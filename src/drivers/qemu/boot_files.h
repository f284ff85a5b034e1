// What every microVM of this host boots with, made once and kept in the cache directory: the unpacked kernel, the
// initramfs, and an empty writable layer to copy.
//
//   vmlinux-RELEASE-KEY      the ELF kernel inside the bzImage
//   initramfs-KEY.cpio       image/initramfs_builder.h
//   layer-MIBm.ext4          an empty file system, sparse
//
// The key covers all that went into a file, so a new kernel or agent gives new ones. Each is verified before it is used
// (drivers/qemu/boot_cache.h).
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "core/kernel.h"
#include "drivers/qemu/boot_cache.h"

namespace skerry::qemu {

struct BootFiles {
  std::string kernel;
  std::string initramfs;  // empty: it is in the kernel
  std::string key;        // of kernel and initramfs together
};

struct BootFilesSpec {
  GuestKernel kernel;
  std::string agent;
  BootCache* cache;                       // outlives the call
  std::string root_filesystem = "erofs";  // of the root disk: its driver comes along
  bool shares = false;                    // directories of the host too
  bool seed = false;                      // and the disk of cloud-init
  // Where the machine has its devices, and the agent its channel: virtio-mmio and a port, or PCI and vsock.
  enum class Machine : std::uint8_t { kMmio, kPciVsock } machine = Machine::kMmio;
};
// A bzImage that has this agent baked in boots by itself (C62); else the vmlinux and our initramfs.
Result<BootFiles> prepare_boot_files(const BootFilesSpec& spec);

// The kernel as it is (C63), with somebody else's initramfs instead of ours: writes to `path` our kernel modules, then
// their archive (the kernel unpacks one after the other: Documentation/driver-api/early-userspace/buffer-format.rst).
Result<BootFiles> prepare_boot_files(const BootFilesSpec& spec, const std::string& theirs, const std::string& path);

// Makes `path` an empty ext4 file system of that size, sparse, if it does not exist. Formats once per host and copies.
Status make_overlay_disk(const std::string& path, std::uint64_t size_mib, BootCache& cache);

}  // namespace skerry::qemu
