#include "agent/restart.h"

#include <gtest/gtest.h>

namespace skerry::agent {
namespace {

using std::chrono::milliseconds;
using wire::GuestRestart;

TEST(Restart, FollowsThePolicy) {
  EXPECT_FALSE(restart_delay({GuestRestart::kNo, 0, 1}, 1, 0));
  EXPECT_FALSE(restart_delay({GuestRestart::kOnFailure, 0, 1}, 0, 0));
  EXPECT_TRUE(restart_delay({GuestRestart::kOnFailure, 0, 1}, 137, 0));
  EXPECT_TRUE(restart_delay({GuestRestart::kAlways, 0, 1}, 0, 0));
}

TEST(Restart, StopsAtTheMaximum) {
  EXPECT_TRUE(restart_delay({GuestRestart::kAlways, 3, 1}, 1, 2));
  EXPECT_FALSE(restart_delay({GuestRestart::kAlways, 3, 1}, 1, 3));
}

TEST(Restart, BacksOffTwiceAsLongEachTime) {
  const wire::GuestRestartPolicy policy{GuestRestart::kAlways, 0, 100};
  EXPECT_EQ(*restart_delay(policy, 1, 0), milliseconds(100));
  EXPECT_EQ(*restart_delay(policy, 1, 3), milliseconds(800));
  EXPECT_EQ(*restart_delay(policy, 1, 4'000'000'000), kLongestBackoff);
  EXPECT_EQ(*restart_delay({GuestRestart::kAlways, 0, 4'000'000'000}, 1, 0), kLongestBackoff);
}

}  // namespace
}  // namespace skerry::agent
