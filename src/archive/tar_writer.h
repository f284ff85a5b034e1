// TarWriter: entries into a tar (pax), as bytes for a sink. The same entries give the same bytes.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "archive/tar_entry.h"
#include "base/result.h"

namespace skerry {

class TarWriter {
 public:
  using Sink = std::function<Status(std::string_view bytes)>;
  static Result<TarWriter> open(Sink sink);
  ~TarWriter();
  TarWriter(TarWriter&&) noexcept;
  TarWriter& operator=(TarWriter&&) noexcept;

  // Begins an entry; the path "" is written as ".". Not whiteouts. Extended attributes are not written.
  Status add(const TarEntry& entry);
  // Content of the kFile entry just begun; what is missing to its size when the next one begins is zero.
  Status write(std::string_view bytes);
  Status finish();

 private:
  struct State;
  explicit TarWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace skerry
