#include "image/artifact_format.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/sys_file.h"
#include "base/text.h"

namespace skerry {
namespace {

using namespace std::string_view_literals;

// Where the magic number of each stands: the superblocks of the kernel's fs/, RFC 1952 and its kin, cpio(5) "newc".
struct Format {
  std::string_view name;
  off_t offset;
  std::string_view magic;
};
constexpr std::array kFormats{
    Format{"erofs", 1024, "\xe2\xe1\xf5\xe0"sv},
    Format{"ext4", 1024 + 56, "\x53\xef"sv},
    Format{"squashfs", 0, "hsqs"sv},
    Format{"xfs", 0, "XFSB"sv},
    Format{"btrfs", 65536 + 64, "_BHRfS_M"sv},
    Format{"cpio", 0, "07070"sv},
    Format{"cpio.gz", 0, "\x1f\x8b"sv},
    Format{"cpio.xz", 0,
           "\xfd"
           "7zXZ"sv},
    Format{"cpio.zst", 0, "\x28\xb5\x2f\xfd"sv},
    Format{"cpio.lz4", 0, "\x02\x21\x4c\x18"sv},
};

}  // namespace

Status check_format(const std::string& path, std::string_view format) {
  if (format.empty() || format == "raw") return {};
  const auto* const known = std::ranges::find(kFormats, format, &Format::name);
  if (known == kFormats.end()) {
    return fail(
        ErrorCode::kUnsupported, cat("format: \"", format, "\" is not known"),
        "raw, erofs, ext4, squashfs, xfs or btrfs; of an initramfs cpio, cpio.gz, cpio.xz, cpio.zst or cpio.lz4");
  }
  const Fd file = TRY(sys::open(path, O_RDONLY));
  std::array<char, 16> begin{};
  const auto got = ::pread(file.get(), begin.data(), known->magic.size(), known->offset);
  if (got < 0) return fail_errno(cat("read ", path));
  if (std::string_view(begin.data(), static_cast<std::size_t>(got)) == known->magic) return {};
  return fail(ErrorCode::kCorrupt, cat("format: it is no ", format));
}

}  // namespace skerry
