// Which file system a disk holds, by its superblock. The host chooses the guest's drivers by it, the guest how to
// mount.
#pragma once

#include <cstddef>
#include <string_view>

namespace skerry {

// So many first bytes of a disk are enough.
inline constexpr std::size_t kSuperblockBytes = 66U << 10U;

// "erofs", "ext4", "squashfs", "xfs" or "btrfs"; empty: none of them.
std::string_view filesystem_of(std::string_view first_bytes);

}  // namespace skerry
