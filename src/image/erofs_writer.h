// ErofsWriter: writes an EROFS image (image/erofs_format.h) in one forward pass: file content first, as it comes; the
// names and attributes at the end.
//
//   ErofsWriter writer(fd);
//   for each file: inode.content = writer.begin_file(); writer.write(offset, bytes)…; writer.end_file(size);
//   writer.finish(tree, uuid);
//
// The bytes depend only on the order and content of the calls. Holes in files become holes of the image file.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "image/merged_tree.h"

namespace skerry {

class ErofsWriter {
 public:
  // `fd`: an empty file, written from offset 0; borrowed while the writer lives.
  explicit ErofsWriter(int fd);

  // The block where the content of the next file begins.
  Result<std::uint64_t> begin_file();
  // Pieces in rising order; what lies between is zero.
  Status write(std::uint64_t offset, std::string_view bytes);
  Status end_file(std::uint64_t size);

  // After this the content so far can be read back from the file: for writers of other file systems, which use this one
  // only to keep the content.
  Status flush_content() { return flush(); }

  // Writes all that is not content. The tree must be finished. kUnsupported when something does not fit the format.
  Status finish(const MergedTree& tree, const std::array<std::uint8_t, 16>& uuid);

 private:
  // Sequential output that skips holes.
  Status append(std::string_view bytes);
  Status skip_to(std::uint64_t position);
  Status flush();

  int fd_;
  std::string buffer_;
  std::uint64_t buffer_at_ = 0;  // position of buffer_ in the file
  std::uint64_t file_start_ = 0;
};

}  // namespace skerry
