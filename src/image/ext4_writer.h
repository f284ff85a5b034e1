// A merged tree as an ext4 file system, without mounting, without root, the same bytes each time.
//
// mke2fs(8) makes the empty file system with everything random given (UUID, hash seed, time); the content is put in by
// libext2fs in the order of names, so inode and block numbers do not depend on any directory's order on the host.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "image/merged_tree.h"
#include "image/work.h"

namespace skerry {

// `path` is a file that does not exist or is empty. The file system is as large as its content needs plus `free_mib`.
// `content_fd` as in image/tree_tar.h.
Status write_ext4(const MergedTree& tree, int content_fd, const std::string& path, std::uint32_t free_mib,
                  const std::array<std::uint8_t, 16>& uuid, const Work& work);

}  // namespace skerry
