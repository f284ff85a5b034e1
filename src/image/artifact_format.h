// What kind of file an artifact says it is, against what the file begins with.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace skerry {

// `format`: erofs, ext4, squashfs, xfs, btrfs, cpio, cpio.gz, cpio.xz, cpio.zst, cpio.lz4; "raw" and "" say nothing.
// kCorrupt: the file is something else; kUnsupported: a format that is not known here.
Status check_format(const std::string& path, std::string_view format);

}  // namespace skerry
