#include "base/filesystem_magic.h"

#include <array>

namespace skerry {
namespace {

struct Magic {
  std::string_view name;
  std::size_t offset;
  std::string_view bytes;
};
// Linux include/uapi/linux/magic.h and each file system's superblock layout.
constexpr std::array<Magic, 5> kMagics{{
    {"erofs", 1024, "\xe2\xe1\xf5\xe0"},
    {"ext4", 1024 + 0x38, "\x53\xef"},
    {"squashfs", 0, "hsqs"},
    {"xfs", 0, "XFSB"},
    {"btrfs", 65536 + 64, "_BHRfS_M"},
}};

}  // namespace

std::string_view filesystem_of(std::string_view first_bytes) {
  for (const auto& magic : kMagics) {
    if (first_bytes.size() < magic.offset) continue;
    if (first_bytes.substr(magic.offset).starts_with(magic.bytes)) return magic.name;
  }
  return {};
}

}  // namespace skerry
