// TarWriter: entries into a tar (pax), as bytes for a sink. The same entries give the same bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "archive/tar_entry.h"
#include "base/result.h"
#include "base/sparse_copy.h"

namespace skerry {

class TarWriter {
 public:
  using Sink = std::function<Status(std::string_view bytes)>;
  static Result<TarWriter> open(Sink sink);
  ~TarWriter();
  TarWriter(TarWriter&&) noexcept;
  TarWriter& operator=(TarWriter&&) noexcept;

  // Begins an entry; the path "" is written as ".". Not whiteouts. Extended attributes are SCHILY.xattr.*, of names of
  // printable ASCII without '%' and '=': programs do not agree on how others are written.
  Status add(const TarEntry& entry);
  // The same for a kFile entry that is zero but for these pieces, in rising order (GNU.sparse 1.0). Not every program
  // that reads tars knows such entries.
  Status add_sparse(const TarEntry& entry, const std::vector<FileExtent>& data);
  // Content of the kFile entry just begun; what is missing to its size when the next one begins is zero.
  Status write(std::string_view bytes);
  // So many bytes of it are zero. Within a hole that costs nothing.
  Status write_zeros(std::uint64_t count);
  Status finish();

 private:
  struct State;
  explicit TarWriter(std::unique_ptr<State> state);
  Status begin(const TarEntry& entry, const std::vector<FileExtent>* data);  // null: no holes
  std::unique_ptr<State> state_;
};

}  // namespace skerry
