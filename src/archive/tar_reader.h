// TarReader: the entries of a tar, checked. What comes out of here can be trusted in form, whoever wrote the tar: an
// image's layer, a guest that was told to send a file.
//
// Rules (pax in POSIX pax(1); GNU tar manual):
// - Paths are relative, without "..", each component at most 255 bytes, the whole at most 4095. Anything else is
//   refused: an absolute path or ".." is an attack or a broken writer, and guessing helps neither.
// - Entries and bytes of content are limited; sparse content counts by its full length.
// - So are the bytes in front of each content: libarchive keeps the map of a file's holes in memory, at twelve times
//   what it is in the archive.
// The names are bytes; they are not converted. Every error is kCorrupt (it breaks a rule; the entry is named),
// kResourceExhausted (over a limit) or the source's own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "archive/tar_entry.h"
#include "base/result.h"

namespace skerry {

struct TarRules {
  std::uint64_t max_entries = 1'000'000;
  std::uint64_t max_content_bytes = 256ULL << 30U;  // sum of the files' lengths
  std::uint64_t max_header_bytes = 8U << 20U;       // of one entry, to within a piece of the source
  // Whether an extended attribute is wanted; an error refuses the entry. Unset: none is.
  std::function<Result<bool>(std::string_view name)> keep_xattr = {};
};

class TarReader {
 public:
  // The next bytes, valid until the next call; empty at the end.
  using Source = std::function<Result<std::string_view>()>;
  static Result<TarReader> open(Source source, TarRules rules);
  ~TarReader();
  TarReader(TarReader&&) noexcept;
  TarReader& operator=(TarReader&&) noexcept;

  // The next entry, nullopt at the end. Content of the current entry that was not read is skipped.
  Result<std::optional<TarEntry>> next();
  // The current entry's name as written, for messages.
  [[nodiscard]] const std::string& name() const;

  using ContentSink = std::function<Status(std::uint64_t offset, std::string_view bytes)>;
  // The content of the current kFile entry: pieces in rising order; what lies between them is zero (sparse files).
  Status read_content(const ContentSink& sink);

 private:
  struct State;
  explicit TarReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// kCorrupt, naming the entry.
std::unexpected<Error> bad_entry(std::string_view path, std::string_view why);

}  // namespace skerry
