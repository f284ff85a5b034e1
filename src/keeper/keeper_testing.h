// For tests: an EventLoop running on its own thread, and a blocking client of a keeper's socket.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/event_loop.h"
#include "base/frame.h"
#include "base/sys_file.h"
#include "base/unix_socket.h"

namespace skerry::keeper {

inline constexpr Duration kTestDeadline = std::chrono::seconds(20);

// Calls `condition` until it is true; false when the deadline passes.
inline bool eventually(const std::function<bool()>& condition, Duration deadline = kTestDeadline) {
  const SystemClock clock;
  const MonoTime end = clock.monotonic() + deadline;
  while (clock.monotonic() < end) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return condition();
}

// Runs the loop from run() to the end of its own life. Everything on the loop is made before run(), and goes after.
class LoopThread {
 public:
  explicit LoopThread(EventLoop& loop) : loop_(loop) {}
  ~LoopThread() {
    stop_.write_end.reset();
    if (thread_.joinable()) thread_.join();
    loop_.forget(stop_.read_end.get());
  }
  void run() {
    ASSERT_TRUE(loop_.watch(stop_.read_end.get(), EPOLLIN, [this](std::uint32_t) { loop_.stop(); }));
    thread_ = std::thread([this] { EXPECT_TRUE(loop_.run()); });
  }

 private:
  EventLoop& loop_;
  sys::Pipe stop_ = sys::pipe().value();
  std::thread thread_;
};

// Speaks frames on a socket; gives up after kTestDeadline.
class FrameClient {
 public:
  explicit FrameClient(Fd socket) : socket_(std::move(socket)) {
    const timeval limit{std::chrono::duration_cast<std::chrono::seconds>(kTestDeadline).count(), 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }
  static FrameClient connect(const std::string& path) {
    Result<Fd> socket = fail(ErrorCode::kUnavailable, path);
    eventually([&] { return (socket = unix_connect(path)).has_value(); });
    return FrameClient(std::move(socket).value());
  }

  void send(FrameKind kind, std::uint32_t session = 0, std::string_view payload = {}) {
    EXPECT_TRUE(write_frame(socket_.get(), kind, session, payload));
  }
  // nullopt at the end of the stream; a test failure when nothing comes.
  std::optional<Frame> next() {
    auto frame = read_frame(socket_.get(), parser_);
    EXPECT_TRUE(frame.has_value()) << frame.error().message();
    return frame ? *frame : std::nullopt;
  }
  // The next frame of that kind; others are skipped.
  std::optional<Frame> next(FrameKind kind) {
    while (auto frame = next()) {
      if (frame->kind == kind) return frame;
    }
    return std::nullopt;
  }
  // All bytes of one kind up to the end of the session (kExit) or of the stream.
  std::string collect(FrameKind kind, int* exit_code = nullptr) {
    std::string out;
    while (auto frame = next()) {
      if (frame->kind == kind) out += frame->payload;
      if (frame->kind != FrameKind::kExit) continue;
      if (exit_code != nullptr) *exit_code = static_cast<int>(decode_u32(frame->payload).value_or(9999));
      break;
    }
    return out;
  }
  [[nodiscard]] int fd() const { return socket_.get(); }
  void close() { socket_.reset(); }

 private:
  Fd socket_;
  FrameParser parser_;
};

}  // namespace skerry::keeper
