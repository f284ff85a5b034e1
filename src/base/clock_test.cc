#include "base/clock.h"

#include <gtest/gtest.h>

namespace skerry {
namespace {

TEST(Clock, WritesTimesWithNanoseconds) {
  EXPECT_EQ(to_rfc3339({0}), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(to_rfc3339({1'795'246'200'000'000'042}), "2026-11-21T07:30:00.000000042Z");
  EXPECT_EQ(to_rfc3339({-1}), "1969-12-31T23:59:59.999999999Z");
}

TEST(Clock, ReadsWhatItWrites) {
  for (const std::int64_t ns : {0LL, 1LL, 1'795'246'200'000'000'042LL, 9'000'000'000'000'000'000LL}) {
    EXPECT_EQ(parse_rfc3339(to_rfc3339({ns})).value().ns, ns);
  }
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:01Z").value().ns, 1'000'000'000);
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:00.5Z").value().ns, 500'000'000);
}

TEST(Clock, RefusesWhatIsNotATime) {
  for (const auto* text : {"", "Z", "now", "2026-11-21", "2026-11-21T07:30:00", "2026-11-21T07:30:00+01:00",
                           "2026-11-21T07:30:00.Z", "2026-11-21T07:30:00.0000000001Z", "2026-11-21T07:30:00.-1Z",
                           "-026-11-21T07:30:00.000000000Z", "9999-01-01T00:00:00Z", "2026-13-01T00:00:00Z",
                           "2026/11/21T07:30:00Z", "2026-11-21 07:30:00Z", "2026-11-21T7:30:000Z"}) {
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  }
}

TEST(Clock, AManualClockStandsStillUntilMoved) {
  ManualClock clock({5});
  EXPECT_EQ(clock.now(), WallTime{5});
  const auto before = clock.monotonic();
  clock.advance(std::chrono::nanoseconds(7));
  EXPECT_EQ(clock.now(), WallTime{12});
  EXPECT_EQ(clock.monotonic() - before, std::chrono::nanoseconds(7));
}

TEST(Clock, TheSystemClocksGoOn) {
  const SystemClock clock;
  const auto first = clock.monotonic();
  EXPECT_GE(clock.monotonic(), first);
  EXPECT_GT(clock.now().ns, 1'700'000'000'000'000'000);
}

}  // namespace
}  // namespace skerry
