#include "api/exec_calls.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "base/text.h"

namespace skerry::api {
namespace {

class ExecCallsTest : public testing::Test {
 protected:
  void TearDown() override {
    release_ = true;
    calls_.stop();
  }
  // Starts one that waits; its environment has room.
  Status wait(const Caller& caller) {
    return calls_.start(caller, cat("e", number_++ / ExecCalls::kMaxInOne), [this](const auto& cancelled) {
      while (!release_ && !cancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    });
  }
  std::size_t fill(const Caller& caller) {
    std::size_t started = 0;
    while (wait(caller)) ++started;
    return started;
  }

  SystemClock clock_;
  ExecCalls calls_{clock_};
  std::atomic<bool> release_ = false;
  std::size_t number_ = 0;
  const Caller a_{"token a", Role::kOperator, {"za"}};
  const Caller b_{"token b", Role::kOperator, {"zb"}};
  const Caller c_{"token c", Role::kAdmin, {"zc"}};
  const Caller root_{"uid 0", Role::kAdmin, {}};
};

TEST_F(ExecCallsTest, NoTenantLocksOutAnother) {
  EXPECT_EQ(fill(a_), ExecCalls::kMaxOfOne);
  EXPECT_TRUE(wait(b_));
  EXPECT_EQ(wait(a_).error().code, ErrorCode::kUnavailable);
}

TEST_F(ExecCallsTest, AllTenantsTogetherLeaveRoomForTheHostsOwner) {
  EXPECT_EQ(fill(a_) + fill(b_) + fill(c_), ExecCalls::kMaxOfTenants);
  EXPECT_EQ(fill(root_), ExecCalls::kMaxCalls - ExecCalls::kMaxOfTenants);
}

TEST_F(ExecCallsTest, WhatIsThrownEndsTheCallOnly) {
  for (std::size_t i = 0; i < 2 * ExecCalls::kMaxOfOne; ++i) {
    std::atomic<bool> begun = false;
    const auto deadline = clock_.monotonic() + std::chrono::seconds(10);
    // It gives its place back, if not at once.
    while (!calls_.start(a_, "e", [&begun](const auto&) {
      begun = true;
      throw std::runtime_error("no thread");
    })) {
      ASSERT_LT(clock_.monotonic(), deadline);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    while (!begun) std::this_thread::yield();
  }
}

}  // namespace
}  // namespace skerry::api
