#include "wire/manifest_codec.h"

#include <gtest/gtest.h>

namespace skerry::wire {
namespace {

TEST(ManifestCodec, GivesBackWhatItWasGiven) {
  for (const std::string& text : {std::string(), std::string("{}"), std::string(5000, 'x'), std::string("\0\xff", 2)}) {
    const auto packed = encode_manifest(text);
    ASSERT_TRUE(packed);
    EXPECT_EQ(packed->find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
              std::string::npos);
    EXPECT_EQ(decode_manifest(*packed).value(), text);
  }
}

TEST(ManifestCodec, IsDeterministic) {
  EXPECT_EQ(encode_manifest("{\"a\":1}").value(), encode_manifest("{\"a\":1}").value());
}

// printf '{"hostname":"x"}' | gzip -n | base64 -w0 | tr '+/' '-_' | tr -d '='
TEST(ManifestCodec, ReadsWhatTheCommandLineToolsMake) {
  EXPECT_EQ(decode_manifest("H4sIAAAAAAAAA6tWysgvLslLzE1VslKqUKoFABXWEawQAAAA").value_or("?"), "{\"hostname\":\"x\"}");
}

TEST(ManifestCodec, RefusesWhatIsNotWhole) {
  const std::string good = encode_manifest("{\"hostname\":\"demo\"}").value();
  for (std::size_t cut = 0; cut < good.size(); ++cut) EXPECT_FALSE(decode_manifest(good.substr(0, cut))) << cut;
  EXPECT_FALSE(decode_manifest(good + "AAAA"));
  EXPECT_FALSE(decode_manifest(good + "="));
  EXPECT_FALSE(decode_manifest("!" + good));
}

TEST(ManifestCodec, RefusesABomb) {
  const auto packed = encode_manifest(std::string(kMaxManifestText, ' '));
  ASSERT_TRUE(packed);
  EXPECT_TRUE(decode_manifest(*packed));
  EXPECT_FALSE(encode_manifest(std::string(kMaxManifestText + 1, ' ')));
}

TEST(Base64Url, KnownVectors) {
  EXPECT_EQ(base64url_encode("f"), "Zg");
  EXPECT_EQ(base64url_encode("fo"), "Zm8");
  EXPECT_EQ(base64url_encode("foo"), "Zm9v");
  EXPECT_EQ(base64url_encode("\xfb\xff"), "-_8");
  EXPECT_EQ(base64url_decode("-_8").value(), "\xfb\xff");
  EXPECT_FALSE(base64url_decode("Z"));
  EXPECT_FALSE(base64url_decode("Zh"));  // unused bits are not zero
}

}  // namespace
}  // namespace skerry::wire
