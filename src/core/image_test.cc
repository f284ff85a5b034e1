#include "core/image.h"

#include <gtest/gtest.h>

namespace skerry {
namespace {

const std::string kHex(64, 'a');

TEST(Digest, StrictForm) {
  EXPECT_EQ(Digest::parse("sha256:" + kHex).value().hex(), kHex);
  EXPECT_EQ(Digest::parse("sha256:" + kHex).value().text(), "sha256:" + kHex);
  for (const auto& bad : {std::string(), std::string("sha256:"), "sha256:" + kHex + "a", "sha512:" + kHex,
                          "sha256:" + std::string(64, 'A'), "sha256:" + std::string(63, 'a') + "/", kHex}) {
    EXPECT_EQ(Digest::parse(bad).error().code, ErrorCode::kInvalidArgument) << bad;
  }
}

TEST(ImageReference, Defaults) {
  const auto full = [](std::string_view text) { return ImageReference::parse(text).value().text(); };
  EXPECT_EQ(full("debian"), "docker.io/library/debian:latest");
  EXPECT_EQ(full("debian:12"), "docker.io/library/debian:12");
  EXPECT_EQ(full("me/app"), "docker.io/me/app:latest");
  EXPECT_EQ(full("localhost/web"), "localhost/web:latest");
  EXPECT_EQ(full("127.0.0.1:5000/a/b__c:V1.2-x"), "127.0.0.1:5000/a/b__c:V1.2-x");
  EXPECT_EQ(full("[::1]:5000/a"), "[::1]:5000/a:latest");
  EXPECT_EQ(full("r.example/a@sha256:" + kHex), "r.example/a@sha256:" + kHex);
  EXPECT_EQ(full("r.example/a:t@sha256:" + kHex), "r.example/a:t@sha256:" + kHex);
}

TEST(ImageReference, TextParsesBackToTheSameValue) {
  for (const auto* text : {"debian", "a/b/c:1", "localhost:1/x", "[::1]:5000/x:y"}) {
    const auto once = ImageReference::parse(text).value();
    EXPECT_EQ(ImageReference::parse(once.text()).value(), once) << text;
  }
}

TEST(ImageReference, RefusesWhatIsNotInTheGrammar) {
  for (const auto& bad : {std::string(),          std::string("UPPER"),       std::string("a//b"),
                          std::string("a/"),      std::string("/a"),          std::string("a:"),
                          std::string("a:-x"),    std::string("a:.x"),        std::string("a b"),
                          std::string("-a"),      std::string("a-"),          std::string("a..b"),
                          std::string("a___b"),   std::string("../etc"),      std::string("a/../b"),
                          std::string("h:0/a"),   std::string("h:65536/a"),   std::string("h:12x/a"),
                          std::string("h..x/a"),  std::string("a@sha256:12"), "a:" + std::string(129, 'x'),
                          std::string(2000, 'a'), std::string("a\0b", 3),     "localhost/" + std::string(256, 'a'),
                          std::string("[]:1/a"),  std::string("--tls/a")}) {
    EXPECT_FALSE(ImageReference::parse(bad)) << bad;
  }
}

TEST(ImageReference, LengthCountsWithTheDefaults) {
  EXPECT_TRUE(ImageReference::parse(std::string(247, 'a')));
  EXPECT_FALSE(ImageReference::parse(std::string(248, 'a')));  // library/… is longer than 255
}

TEST(ImageReference, Loopback) {
  EXPECT_TRUE(ImageReference::parse("localhost:5000/a").value().is_loopback());
  EXPECT_TRUE(ImageReference::parse("127.1.2.3:5000/a").value().is_loopback());
  EXPECT_TRUE(ImageReference::parse("[::1]:5000/a").value().is_loopback());
  EXPECT_FALSE(ImageReference::parse("127.0.0.1.example.com/a").value().is_loopback());
  EXPECT_FALSE(ImageReference::parse("debian").value().is_loopback());
}

}  // namespace
}  // namespace skerry
