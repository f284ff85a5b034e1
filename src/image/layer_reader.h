// LayerReader: the entries of a layer, checked. What comes out of here can be trusted in form, whoever wrote the tar.
//
// Rules (OCI image specification, "Image Layer Filesystem Changeset") over those of archive/tar_reader.h:
// - ".wh.NAME" becomes a whiteout of NAME, ".wh..wh..opq" makes its directory opaque; other ".wh..wh.*" names are notes
//   of old builders and are skipped.
// - Kept extended attributes: user.*, security.capability, system.posix_acl_access, system.posix_acl_default. Others
//   (security.selinux, com.apple.…) belong to the machine that built the image and are dropped. trusted.overlay.* and
//   user.overlay.* would change what the kernel's overlayfs shows: refused.
// - The bytes of the stream are limited too.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "archive/tar_entry.h"
#include "base/fd.h"
#include "base/result.h"
#include "core/digest.h"

namespace skerry {

struct LayerLimits {
  std::uint64_t max_entries = 1'000'000;
  std::uint64_t max_stream_bytes = 64ULL << 30U;    // of the uncompressed tar
  std::uint64_t max_content_bytes = 256ULL << 30U;  // sum of the files' lengths
};

using LayerEntry = TarEntry;

class LayerReader {
 public:
  // Takes the blob, compressed or not. Every error is kCorrupt (the blob breaks a rule; the entry is named),
  // kResourceExhausted (over a limit) or a read error.
  static Result<LayerReader> open(Fd blob, const LayerLimits& limits);
  ~LayerReader();
  LayerReader(LayerReader&&) noexcept;
  LayerReader& operator=(LayerReader&&) noexcept;

  // The next entry, nullopt at the end. Content of the current entry that was not read is skipped.
  Result<std::optional<LayerEntry>> next();

  using ContentSink = std::function<Status(std::uint64_t offset, std::string_view bytes)>;
  // The content of the current kFile entry: pieces in rising order; what lies between them is zero (sparse files).
  Status read_content(const ContentSink& sink);

  // Reads the rest and gives the diff_id of the whole. After next() gave nullopt.
  Result<Digest> finish();

 private:
  struct State;
  explicit LayerReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace skerry
