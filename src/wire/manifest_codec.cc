#include "wire/manifest_codec.h"

#include <zlib.h>

#include <array>
#include <cstdint>

#include "base/text.h"

namespace skerry::wire {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
// zlib.h: 16 added to the window size asks for the gzip format.
constexpr int kGzipWindow = 15 + 16;

int digit_of(char letter) {
  const auto at = kAlphabet.find(letter);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

// zlib wants pointers to bytes; it does not write through next_in.
Bytef* input_of(std::string_view text) { return reinterpret_cast<Bytef*>(const_cast<char*>(text.data())); }

Result<std::string> inflate_all(z_stream& stream) {
  std::string out;
  std::array<char, 4096> chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by inflate
  while (true) {
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = chunk.size();
    const int answer = ::inflate(&stream, Z_NO_FLUSH);
    if (answer != Z_OK && answer != Z_STREAM_END) return fail(ErrorCode::kCorrupt, "manifest: not whole gzip data");
    const std::size_t got = chunk.size() - stream.avail_out;
    if (out.size() + got > kMaxManifestText) {
      return fail(ErrorCode::kResourceExhausted, cat("manifest: unpacks to more than ", kMaxManifestText, " bytes"));
    }
    out.append(chunk.data(), got);
    if (answer == Z_STREAM_END) break;
    if (got == 0 && stream.avail_in == 0) return fail(ErrorCode::kCorrupt, "manifest: the gzip data is cut short");
  }
  if (stream.avail_in != 0) return fail(ErrorCode::kCorrupt, "manifest: bytes behind the gzip data");
  return out;
}

}  // namespace

std::string base64url_encode(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 4 / 3 + 3);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char byte : bytes) {
    bits = (bits << 8U) | static_cast<unsigned char>(byte);
    count += 8;
    while (count >= 6) {
      count -= 6;
      out += kAlphabet[(bits >> count) & 63U];
    }
  }
  if (count > 0) out += kAlphabet[(bits << (6 - count)) & 63U];
  return out;
}

Result<std::string> base64url_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const int digit = digit_of(text[at]);
    if (digit < 0) return fail(ErrorCode::kCorrupt, cat("base64url: bad letter at ", at));
    bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>((bits >> count) & 0xFFU);
    }
  }
  if (count >= 6 || (bits & ((1U << count) - 1U)) != 0) return fail(ErrorCode::kCorrupt, "base64url: cut short");
  return out;
}

Result<std::string> encode_manifest(std::string_view text) {
  if (text.size() > kMaxManifestText) {
    return fail(ErrorCode::kResourceExhausted, cat("manifest: more than ", kMaxManifestText, " bytes"));
  }
  z_stream stream{};
  if (::deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, kGzipWindow, 9, Z_DEFAULT_STRATEGY) != Z_OK) {
    return fail(ErrorCode::kResourceExhausted, "deflateInit2");
  }
  std::string packed(::deflateBound(&stream, text.size()), '\0');
  stream.next_in = input_of(text);
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  const int answer = ::deflate(&stream, Z_FINISH);
  packed.resize(packed.size() - stream.avail_out);
  ::deflateEnd(&stream);
  if (answer != Z_STREAM_END) return fail(ErrorCode::kInternal, "deflate did not finish");
  return base64url_encode(packed);
}

Result<std::string> decode_manifest(std::string_view value) {
  const std::string packed = TRY_IN("manifest", base64url_decode(value));
  z_stream stream{};
  if (::inflateInit2(&stream, kGzipWindow) != Z_OK) return fail(ErrorCode::kResourceExhausted, "inflateInit2");
  stream.next_in = input_of(packed);
  stream.avail_in = static_cast<uInt>(packed.size());
  auto text = inflate_all(stream);
  ::inflateEnd(&stream);
  return text;
}

}  // namespace skerry::wire
