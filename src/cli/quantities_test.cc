#include "cli/quantities.h"

#include <gtest/gtest.h>

namespace skerry::cli {
namespace {

TEST(Quantities, MemoryInMibOrWithAUnit) {
  EXPECT_EQ(parse_memory_mib("512").value(), 512U);
  EXPECT_EQ(parse_memory_mib("512m").value(), 512U);
  EXPECT_EQ(parse_memory_mib("512MB").value(), 512U);
  EXPECT_EQ(parse_memory_mib("512MiB").value(), 512U);
  EXPECT_EQ(parse_memory_mib("1g").value(), 1024U);
  EXPECT_EQ(parse_memory_mib("1.5G").value(), 1536U);
  EXPECT_EQ(parse_memory_mib("65536k").value(), 64U);
  for (const auto* bad : {"", "m", "1x", "-1", "1.", ".5g", "1.2.3", "512k", "1.0000001g", "9999999t", "1 g", "0x10"}) {
    EXPECT_FALSE(parse_memory_mib(bad)) << bad;
  }
}

TEST(Quantities, SinceIsATimeOrHowLongAgo) {
  const WallTime now = parse_rfc3339("2026-11-21T12:00:00Z").value();
  const auto since = [&](std::string_view text) { return parse_rfc3339(parse_since(text, now).value()).value(); };
  EXPECT_EQ(since("90s").ns, now.ns - 90'000'000'000);
  EXPECT_EQ(since("1h30m").ns, now.ns - 5400'000'000'000);
  EXPECT_EQ(since("7d").ns, now.ns - 604'800'000'000'000);
  EXPECT_EQ(since("2026-11-21T10:00:00Z").ns, now.ns - 7200'000'000'000);
  for (const auto* bad : {"", "10", "m", "10y", "10m5", "-5m", "99999999999d", "2026-13-01T00:00:00Z"}) {
    EXPECT_FALSE(parse_since(bad, now)) << bad;
  }
}

TEST(Quantities, PathsAreMadeAbsolute) {
  EXPECT_EQ(absolute_path("/srv//data/../x/").value(), "/srv/x");
  EXPECT_TRUE(absolute_path("./here").value().ends_with("/here"));
  EXPECT_EQ(absolute_path(".").value().find("/."), std::string::npos);
}

}  // namespace
}  // namespace skerry::cli
