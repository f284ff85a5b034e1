// GuestKernel: a Linux kernel that microVMs can boot.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "core/digest.h"

namespace skerry {

struct GuestKernel {
  enum class Origin : std::uint8_t {
    kHost,   // in /boot: a package of the distribution; its drivers are modules
    kAdded,  // a file that was given to us
    kBuilt,  // made here from source, every driver built in
  };
  struct File {
    std::string path;
    Digest digest;  // empty for kHost: the package manager's business
    std::uint64_t size = 0;
  };
  std::string name;
  std::string release;  // what uname -r will say; empty: not known
  Origin origin = Origin::kHost;
  // At least one of them. The vmlinux holds nothing but the kernel (C63); the bzImage of a built one has the boot
  // initramfs baked in (C62).
  std::optional<File> vmlinux;
  std::optional<File> bzimage;
  std::string
      boot_initramfs;  // which boot initramfs is in the bzImage, by image/initramfs_builder.h's key; empty: none
  WallTime created;
  bool chosen = false;  // what microVMs boot
};

constexpr std::string_view to_text(GuestKernel::Origin origin) {
  switch (origin) {
    case GuestKernel::Origin::kHost: return "host";
    case GuestKernel::Origin::kAdded: return "added";
    case GuestKernel::Origin::kBuilt: return "built";
  }
  return "host";
}

}  // namespace skerry
