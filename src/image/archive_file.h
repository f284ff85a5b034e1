// Plain tar files that carry an image: written with fixed times and owners, read entry by entry. Not for layers: those
// are image/layer_reader.h's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace skerry {

// Writes to a temporary name; commit() makes the file appear. Without it nothing stays.
class ArchiveFileWriter {
 public:
  static Result<ArchiveFileWriter> create(const std::string& path);
  ~ArchiveFileWriter();
  ArchiveFileWriter(ArchiveFileWriter&&) noexcept;
  ArchiveFileWriter& operator=(ArchiveFileWriter&&) noexcept;

  Status add_text(const std::string& name, std::string_view content);
  // The whole file behind `fd`, from its start; answers its size.
  Result<std::uint64_t> add_file(const std::string& name, int fd);
  Status commit();

 private:
  struct State;
  explicit ArchiveFileWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Reading: one regular file of the archive, valid during the callback.
class ArchiveFileReader {
 public:
  struct Entry {
    std::string name;  // as written, without a leading "./"
    std::uint64_t size = 0;
    void* handle = nullptr;  // libarchive's

    // kResourceExhausted above `limit` bytes.
    Result<std::string> read(std::size_t limit);
    Status copy_to(int fd);
  };
};

// Calls `take` for each regular file. The tar may be compressed with gzip or zstd. kCorrupt when it is damaged.
Status read_archive_file(const std::string& path, const std::function<Status(ArchiveFileReader::Entry&)>& take);

}  // namespace skerry
