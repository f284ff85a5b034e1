// What every microVM of this host boots with, made once and kept in the cache directory: the unpacked kernel, the
// initramfs, and an empty writable layer to copy.
//
//   vmlinux-RELEASE-KEY      the ELF kernel inside the bzImage
//   initramfs-KEY.cpio       image/initramfs_builder.h
//   overlay-MIBm.ext4        an empty file system, sparse
//
// A file appears by rename only; the key covers all that went into it, so a new kernel or agent gives new files.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace skerry::qemu {

struct BootFiles {
  std::string kernel;
  std::string initramfs;
  std::string key;  // of kernel and initramfs together
};

struct BootFilesSpec {
  std::string kernel;  // as QemuConfig::kernel
  std::string agent;
  std::string cache_dir;
  std::string root_filesystem = "erofs";  // of the root disk: its driver comes along
  bool shares = false;                    // directories of the host too
};
// kNotFound says which package brings a kernel.
Result<BootFiles> prepare_boot_files(const BootFilesSpec& spec);

// Boots with somebody else's initramfs instead of ours: writes to `path` our kernel modules, then their archive as it
// is (the kernel unpacks one after the other: Documentation/driver-api/early-userspace/buffer-format.rst). `files` then
// names it.
Status use_initramfs(BootFiles& files, const BootFilesSpec& spec, const std::string& theirs, const std::string& path);

// The newest kernel of /boot: a cloud kernel if there is one. Pure but for reading the directory.
Result<std::string> newest_kernel(const std::string& boot_dir);
// "/boot/vmlinuz-6.1.0-9-cloud-amd64" → "6.1.0-9-cloud-amd64"; empty when the name says none.
std::string kernel_release(const std::string& path);

// Makes `path` an empty ext4 file system of that size, sparse, if it does not exist. Formats once per host and copies.
Status make_overlay_disk(const std::string& path, std::uint64_t size_mib, const std::string& cache_dir);

}  // namespace skerry::qemu
