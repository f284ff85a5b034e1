#include "base/event_loop.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/sys_file.h"

namespace skerry {
namespace {

using std::chrono::milliseconds;

TEST(EventLoop, CallsTheHandlerOfAReadableDescriptor) {
  EventLoop loop = EventLoop::create().value();
  auto pipe = sys::pipe().value();
  ASSERT_TRUE(loop.watch(pipe.read_end.get(), EPOLLIN, [&](std::uint32_t events) {
    EXPECT_TRUE((events & EPOLLIN) != 0);
    loop.stop();
  }));
  ASSERT_TRUE(sys::write_all(pipe.write_end.get(), "x"));
  loop.after(std::chrono::seconds(10), [&] {
    ADD_FAILURE() << "no event";
    loop.stop();
  });
  EXPECT_TRUE(loop.run());
}

TEST(EventLoop, AForgottenDescriptorOfTheSameBatchIsNotHandled) {
  EventLoop loop = EventLoop::create().value();
  auto first = sys::pipe().value();
  auto second = sys::pipe().value();
  int calls = 0;
  const auto handler = [&](std::uint32_t) {
    ++calls;
    loop.forget(first.read_end.get());
    loop.forget(second.read_end.get());
  };
  ASSERT_TRUE(loop.watch(first.read_end.get(), EPOLLIN, handler));
  ASSERT_TRUE(loop.watch(second.read_end.get(), EPOLLIN, handler));
  ASSERT_TRUE(sys::write_all(first.write_end.get(), "x"));
  ASSERT_TRUE(sys::write_all(second.write_end.get(), "x"));
  loop.after(milliseconds(20), [&] { loop.stop(); });
  EXPECT_TRUE(loop.run());
  EXPECT_EQ(calls, 1);
  EXPECT_FALSE(loop.watches(first.read_end.get()));
}

TEST(EventLoop, ANumberOpenedAgainDoesNotGetTheOldOnesEvent) {
  EventLoop loop = EventLoop::create().value();
  auto trigger = sys::pipe().value();
  auto old = sys::pipe().value();
  Fd reopened;
  int wrong = 0;
  const int number = old.read_end.get();
  // Whichever of the two comes first replaces the other's descriptor under its number.
  ASSERT_TRUE(loop.watch(trigger.read_end.get(), EPOLLIN, [&](std::uint32_t) {
    loop.forget(trigger.read_end.get());
    loop.forget(number);
    old.read_end.reset();
    auto fresh = sys::pipe().value();
    reopened = std::move(fresh.read_end);
    old.write_end = std::move(fresh.write_end);
    EXPECT_TRUE(loop.watch(reopened.get(), EPOLLIN, [&](std::uint32_t) { ++wrong; }));
  }));
  ASSERT_TRUE(loop.watch(number, EPOLLIN, [&](std::uint32_t) {}));
  ASSERT_TRUE(sys::write_all(trigger.write_end.get(), "x"));
  ASSERT_TRUE(sys::write_all(old.write_end.get(), "x"));
  loop.after(milliseconds(20), [&] { loop.stop(); });
  EXPECT_TRUE(loop.run());
  EXPECT_EQ(wrong, 0);
}

TEST(EventLoop, TimersRunInOrderAndCanBeCancelled) {
  EventLoop loop = EventLoop::create().value();
  std::string order;
  loop.after(milliseconds(20), [&] {
    order += 'b';
    loop.stop();
  });
  loop.after(milliseconds(1), [&] { order += 'a'; });
  const auto cancelled = loop.after(milliseconds(2), [&] { order += 'x'; });
  loop.cancel(cancelled);
  loop.cancel(cancelled);
  EXPECT_TRUE(loop.run());
  EXPECT_EQ(order, "ab");
}

}  // namespace
}  // namespace skerry
