// Files with holes (lseek(2), SEEK_DATA).
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"

namespace skerry {

struct FileExtent {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  bool operator==(const FileExtent&) const = default;
};

// The first bytes at `from` or behind it that are in no hole; nullopt when a hole, or nothing, is all that is left. The
// offset of `fd` moves. What a file system says that knows no holes: all of it.
Result<std::optional<FileExtent>> next_data(int fd, std::uint64_t from);

// Copies without filling the holes (copy_file_range(2), which shares blocks where the file system can).
// All of `from` to the start of `to`, which must be empty and gets the same size. The offsets of both may move.
Status copy_sparse(int from, int to);

}  // namespace skerry
