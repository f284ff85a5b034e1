#include "image/layer_stream.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "image/layer_testing.h"
#include "image/sha256.h"

namespace skerry {
namespace {

constexpr std::uint64_t kPlenty = 1U << 30U;

std::string gzip(std::string_view bytes) {
  z_stream zlib{};
  ::deflateInit2(&zlib, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(::deflateBound(&zlib, bytes.size()) + 64, '\0');
  zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  zlib.avail_in = static_cast<uInt>(bytes.size());
  zlib.next_out = reinterpret_cast<Bytef*>(out.data());
  zlib.avail_out = static_cast<uInt>(out.size());
  ::deflate(&zlib, Z_FINISH);
  out.resize(zlib.total_out);
  ::deflateEnd(&zlib);
  return out;
}

std::string zstd(std::string_view bytes) {
  std::string out(::ZSTD_compressBound(bytes.size()), '\0');
  out.resize(::ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 1));
  return out;
}

struct Outcome {
  std::string bytes;
  Digest digest;
};

Result<Outcome> unpack(std::string_view blob, std::uint64_t limit = kPlenty) {
  LayerStream stream = TRY(LayerStream::open(memory_file(blob), limit));
  Outcome out;
  while (true) {
    const auto piece = TRY(stream.next());
    if (piece.empty()) break;
    out.bytes += piece;
  }
  out.digest = TRY(stream.finish());
  return out;
}

std::string sample() {
  std::string out;
  for (int i = 0; i < 200'000; ++i) out += static_cast<char>((i * 7919) >> 5);
  return out;
}

TEST(LayerStream, EveryCompressionGivesTheSameBytesAndDigest) {
  const std::string bytes = sample();
  for (const auto& blob : {bytes, gzip(bytes), zstd(bytes)}) {
    const auto out = unpack(blob);
    ASSERT_TRUE(out) << out.error().message();
    EXPECT_EQ(out->bytes, bytes);
    EXPECT_EQ(out->digest, sha256_of(bytes));
  }
}

TEST(LayerStream, ConcatenatedMembersAreOneStream) {
  EXPECT_EQ(unpack(gzip("one") + gzip("") + gzip("two"))->bytes, "onetwo");
  EXPECT_EQ(unpack(zstd("one") + zstd("two"))->bytes, "onetwo");
  // A skippable frame (RFC 8878 section 3.1.2), as zstd:chunked writes them, in front and behind.
  const std::string skippable("\x50\x2a\x4d\x18\x03\x00\x00\x00xyz", 11);
  EXPECT_EQ(unpack(skippable + zstd("one") + skippable)->bytes, "one");
}

TEST(LayerStream, DamageIsSeen) {
  const std::string bytes = sample();
  for (const auto& blob : {gzip(bytes), zstd(bytes)}) {
    EXPECT_EQ(unpack(blob.substr(0, blob.size() / 2)).error().code, ErrorCode::kCorrupt);
    EXPECT_EQ(unpack(blob.substr(0, blob.size() - 1)).error().code, ErrorCode::kCorrupt);
    EXPECT_EQ(unpack(blob + "trailing garbage").error().code, ErrorCode::kCorrupt);
  }
}

TEST(LayerStream, WhatComesOutIsLimited) {
  const std::string bomb = gzip(std::string(10U << 20U, '\0'));
  EXPECT_EQ(unpack(bomb, 1U << 20U).error().code, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(unpack(bomb, 10U << 20U));
}

TEST(LayerStream, AnEmptyBlobIsAnEmptyStream) {
  EXPECT_EQ(unpack("")->bytes, "");
  EXPECT_EQ(unpack("")->digest, sha256_of(""));
}

}  // namespace
}  // namespace skerry
