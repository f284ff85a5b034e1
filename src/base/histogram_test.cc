#include "base/histogram.h"

#include <gtest/gtest.h>

namespace skerry {
namespace {

using namespace std::chrono_literals;

TEST(Histogram, CountsUpToEachBound) {
  Histogram histogram;
  for (const Duration took : {Duration(5ms), Duration(10ms), Duration(11ms), Duration(3s), Duration(2min)}) {
    histogram.observe(took);
  }
  const auto sample = histogram.sample();
  EXPECT_EQ(sample.at_most[0], 2U) << "the bound is included";
  EXPECT_EQ(sample.at_most[1], 3U);
  EXPECT_EQ(sample.at_most[7], 3U);
  EXPECT_EQ(sample.at_most[8], 4U);
  EXPECT_EQ(sample.at_most.back(), 4U);
  EXPECT_EQ(sample.count, 5U);
  EXPECT_DOUBLE_EQ(sample.sum_seconds, 0.005 + 0.010 + 0.011 + 3 + 120);
}

}  // namespace
}  // namespace skerry
