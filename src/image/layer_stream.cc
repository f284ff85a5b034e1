#include "image/layer_stream.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <vector>

#include "base/sys_file.h"
#include "base/text.h"
#include "image/sha256.h"

namespace skerry {
namespace {

constexpr std::size_t kInputSize = 128U << 10U;
constexpr std::size_t kOutputSize = 256U << 10U;
// A zstd frame may ask for a window up to this (2^27 = 128 MiB, what the zstd program takes by default).
constexpr int kMaxZstdWindowLog = 27;

// The blob, in pieces that a decoder consumes.
class Input {
 public:
  explicit Input(Fd blob) : blob_(std::move(blob)), buffer_(kInputSize) {}

  // What is there; reads more when nothing is. Empty at the end of the blob.
  Result<std::string_view> peek() {
    if (from_ == to_ && !at_end_) {
      from_ = 0;
      to_ = TRY(sys::read(blob_.get(), buffer_.data(), buffer_.size()));
      at_end_ = to_ == 0;
    }
    return std::string_view(buffer_.data() + from_, to_ - from_);
  }
  void consume(std::size_t bytes) { from_ += bytes; }

 private:
  Fd blob_;
  std::vector<char> buffer_;
  std::size_t from_ = 0;
  std::size_t to_ = 0;
  bool at_end_ = false;
};

class Decoder {
 public:
  Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  virtual ~Decoder() = default;
  // Fills `out` as far as the input allows; 0 only at the end of the stream.
  virtual Result<std::size_t> decode(Input& input, char* out, std::size_t size) = 0;
};

class PlainDecoder final : public Decoder {
 public:
  Result<std::size_t> decode(Input& input, char* out, std::size_t size) override {
    const auto bytes = TRY(input.peek());
    const auto count = std::min(size, bytes.size());
    std::copy_n(bytes.data(), count, out);
    input.consume(count);
    return count;
  }
};

class GzipDecoder final : public Decoder {
 public:
  static Result<std::unique_ptr<Decoder>> create() {
    auto decoder = std::make_unique<GzipDecoder>();
    constexpr int kGzipOnly = 16;
    if (::inflateInit2(&decoder->zlib_, MAX_WBITS + kGzipOnly) != Z_OK) {
      return fail(ErrorCode::kResourceExhausted, "start gzip decompression");
    }
    return decoder;
  }
  ~GzipDecoder() override { ::inflateEnd(&zlib_); }

  Result<std::size_t> decode(Input& input, char* out, std::size_t size) override {
    zlib_.next_out = reinterpret_cast<Bytef*>(out);
    zlib_.avail_out = static_cast<uInt>(size);
    while (zlib_.avail_out > 0) {
      const auto bytes = TRY(input.peek());
      if (bytes.empty()) {
        if (inside_member_) return fail(ErrorCode::kCorrupt, "the gzip data ends in the middle");
        break;
      }
      if (!inside_member_) {
        ::inflateReset(&zlib_);
        inside_member_ = true;
      }
      zlib_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
      zlib_.avail_in = static_cast<uInt>(bytes.size());
      const int answer = ::inflate(&zlib_, Z_NO_FLUSH);
      input.consume(bytes.size() - zlib_.avail_in);
      if (answer == Z_STREAM_END) {
        inside_member_ = false;
      } else if (answer != Z_OK && answer != Z_BUF_ERROR) {
        return fail(ErrorCode::kCorrupt, cat("gzip data: ", zlib_.msg != nullptr ? zlib_.msg : "damaged"));
      }
    }
    return size - zlib_.avail_out;
  }

 private:
  z_stream zlib_{};
  bool inside_member_ = false;
};

class ZstdDecoder final : public Decoder {
 public:
  static Result<std::unique_ptr<Decoder>> create() {
    auto decoder = std::make_unique<ZstdDecoder>();
    decoder->zstd_ = ::ZSTD_createDCtx();
    if (decoder->zstd_ == nullptr) return fail(ErrorCode::kResourceExhausted, "start zstd decompression");
    ::ZSTD_DCtx_setParameter(decoder->zstd_, ZSTD_d_windowLogMax, kMaxZstdWindowLog);
    return decoder;
  }
  ~ZstdDecoder() override { ::ZSTD_freeDCtx(zstd_); }

  Result<std::size_t> decode(Input& input, char* out, std::size_t size) override {
    ZSTD_outBuffer to{out, size, 0};
    while (to.pos < to.size) {
      const auto bytes = TRY(input.peek());
      if (bytes.empty() && !inside_frame_) break;
      ZSTD_inBuffer from{bytes.data(), bytes.size(), 0};
      const auto before = to.pos;
      const std::size_t answer = ::ZSTD_decompressStream(zstd_, &to, &from);
      input.consume(from.pos);
      if (::ZSTD_isError(answer) != 0) {
        return fail(ErrorCode::kCorrupt, cat("zstd data: ", ::ZSTD_getErrorName(answer)));
      }
      inside_frame_ = answer != 0;
      // At the end of the blob the decoder may still hold output; once it gives none, the frame was cut off.
      if (bytes.empty() && inside_frame_ && to.pos == before) {
        return fail(ErrorCode::kCorrupt, "the zstd data ends in the middle");
      }
    }
    return to.pos;
  }

 private:
  ZSTD_DCtx* zstd_ = nullptr;
  bool inside_frame_ = false;
};

Result<std::unique_ptr<Decoder>> decoder_for(LayerCompression compression) {
  switch (compression) {
    case LayerCompression::kGzip: return GzipDecoder::create();
    case LayerCompression::kZstd: return ZstdDecoder::create();
    case LayerCompression::kNone: break;
  }
  return std::make_unique<PlainDecoder>();
}

}  // namespace

LayerCompression compression_of(std::string_view start) {
  if (start.starts_with("\x1f\x8b")) return LayerCompression::kGzip;
  if (start.starts_with("\x28\xb5\x2f\xfd")) return LayerCompression::kZstd;
  // A zstd blob may begin with a skippable frame, 0x184D2A50 to 0x184D2A5F (RFC 8878 section 3.1.2).
  const bool skippable =
      start.size() >= 4 && start.substr(1, 3) == "\x2a\x4d\x18" && (static_cast<unsigned char>(start[0]) >> 4U) == 5;
  return skippable ? LayerCompression::kZstd : LayerCompression::kNone;
}

struct LayerStream::State {
  Input input;
  std::unique_ptr<Decoder> decoder;
  std::vector<char> output;
  Sha256 hash;
  std::uint64_t left = 0;
  std::uint64_t max = 0;
};

LayerStream::LayerStream(std::unique_ptr<State> state) : state_(std::move(state)) {}
LayerStream::~LayerStream() = default;
LayerStream::LayerStream(LayerStream&&) noexcept = default;
LayerStream& LayerStream::operator=(LayerStream&&) noexcept = default;

Result<LayerStream> LayerStream::open(Fd blob, std::uint64_t max_bytes) {
  auto state = std::make_unique<State>(
      State{Input(std::move(blob)), nullptr, std::vector<char>(kOutputSize), Sha256(), max_bytes, max_bytes});
  const auto start = TRY(state->input.peek());
  state->decoder = TRY(decoder_for(compression_of(start)));
  return LayerStream(std::move(state));
}

Result<std::string_view> LayerStream::next() {
  const auto size = TRY(state_->decoder->decode(state_->input, state_->output.data(), state_->output.size()));
  if (size > state_->left) {
    return fail(ErrorCode::kResourceExhausted, cat("unpacks to more than ", state_->max, " bytes"));
  }
  state_->left -= size;
  const std::string_view bytes(state_->output.data(), size);
  state_->hash.update(bytes);
  return bytes;
}

Result<Digest> LayerStream::finish() {
  while (!TRY(next()).empty()) {
  }
  return state_->hash.finish();
}

}  // namespace skerry
