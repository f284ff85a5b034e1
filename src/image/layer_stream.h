// LayerStream: the uncompressed bytes of a layer blob, hashed on the way.
//
// The compression is told by the blob's first bytes (gzip: RFC 1952, zstd: RFC 8878, else none), never by the media
// type: a wrong media type must not make two readers see different layers. Concatenated gzip members and zstd frames
// are one stream, as the OCI image specification asks. The amount that comes out is bounded, so that a small blob
// cannot fill the disk.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "core/digest.h"
#include "core/image.h"

namespace skerry {

// Told by the first four bytes of a blob.
LayerCompression compression_of(std::string_view first_bytes);

class LayerStream {
 public:
  // Takes the blob from its current offset. kResourceExhausted once more than `max_bytes` would come out.
  static Result<LayerStream> open(Fd blob, std::uint64_t max_bytes);
  ~LayerStream();
  LayerStream(LayerStream&&) noexcept;
  LayerStream& operator=(LayerStream&&) noexcept;

  // The next bytes, valid until the next call; empty at the end. kCorrupt when the compressed data is damaged or ends
  // in the middle.
  Result<std::string_view> next();

  // Reads to the end and gives the digest of everything that came out (the diff_id).
  Result<Digest> finish();

 private:
  struct State;
  explicit LayerStream(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace skerry
