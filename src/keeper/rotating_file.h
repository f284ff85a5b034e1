// RotatingFile: an append-only file that never grows above a size; older parts are PATH.1 (youngest), PATH.2, ….
//
// A piece is either whole in the file or not at all: what a full disk cut off is truncated away again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace skerry::keeper {

class RotatingFile {
 public:
  // `max_bytes` a file, `files` in all (the current one included). Appends to what is there. Mode 0640.
  static Result<RotatingFile> open(std::string path, std::uint64_t max_bytes, int files);

  // Whether a piece of that size still fits in the current file.
  [[nodiscard]] bool fits(std::size_t size) const { return size_ == 0 || size_ + size <= max_bytes_; }
  // Appends one piece, rotating first when it does not fit. After a failure the next call tries everything again.
  Status append(std::string_view piece);

 private:
  RotatingFile(std::string path, std::uint64_t max_bytes, int files)
      : path_(std::move(path)), max_bytes_(max_bytes), files_(files) {}
  Status reopen();
  Status rotate();

  std::string path_;
  std::uint64_t max_bytes_;
  int files_;
  Fd fd_;
  std::uint64_t size_ = 0;
};

}  // namespace skerry::keeper
