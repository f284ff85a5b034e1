#include "control/operations.h"

#include <gtest/gtest.h>

namespace skerry {
namespace {

OperationWork nothing() {
  return [](OperationProgress&) -> Result<std::map<std::string, std::string>> { return {}; };
}

// Old ones are dropped with their threads: none is left that uses what goes with the last of them.
TEST(Operations, KeepTheNewestAndEndWithTheirThreads) {
  SystemClock clock;
  for (int round = 0; round < 5; ++round) {
    Operations operations(clock, 1'000'000);
    const auto run_one = [&] {
      const auto started = operations.start("test", "nothing", nothing());
      ASSERT_TRUE(started) << started.error().message();
      const auto ended = operations.wait(started->id, started->version, std::chrono::seconds(20));
      ASSERT_TRUE(ended) << ended.error().message();
      EXPECT_EQ(ended->state, OperationState::kSucceeded);
    };
    for (std::size_t i = 0; i < kKeptOperations + 50; ++i) run_one();
    EXPECT_EQ(operations.list().size(), kKeptOperations);
  }
}

}  // namespace
}  // namespace skerry
