// Whole files: read with a limit, written so that a reader or a crash sees the old content or the new, never a part.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace skerry {

inline constexpr std::size_t kMaxSmallFile = 16U << 20U;

// The whole content; kResourceExhausted above `limit` bytes.
Result<std::string> read_file(const std::string& path, std::size_t limit = kMaxSmallFile);

enum class Durability : std::uint8_t {
  kProcessCrash,  // survives the end of any process; no fsync
  kPowerLoss,     // file and directory are synced
};
// Writes to a temporary name beside it, then renames over `path`. A failed write leaves nothing.
Status write_file_atomic(const std::string& path, std::string_view content, mode_t mode,
                         Durability durability = Durability::kProcessCrash);
// Opens an existing file (kernel interfaces: cgroup, sysctl, …) and writes `content` in one write(2).
Status write_existing(const std::string& path, std::string_view content);

}  // namespace skerry
