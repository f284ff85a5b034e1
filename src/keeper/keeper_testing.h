// For tests: an EventLoop on its own thread, a blocking client of a keeper's socket, a running skerry-keeper.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/cri_log.h"
#include "base/event_loop.h"
#include "base/file_io.h"
#include "base/frame.h"
#include "base/keeper_protocol.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "base/unix_socket.h"

namespace skerry::keeper {

inline constexpr Duration kTestDeadline = std::chrono::seconds(60);

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
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;

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

// A skerry-keeper started by a test, with its run directory. What it runs is killed when the test goes.
class KeeperProcess {
 public:
  static constexpr int kSyncFd = 9;

  // Makes the run directory below `parent`.
  KeeperProcess(std::string program, const std::string& parent) : program_(std::move(program)) {
    spec.run_dir = parent + "/run";
    spec.log_path = parent + "/log";
    spec.sync_fd = kSyncFd;
    spec.stdin_mode = StdinMode::kOpen;
    EXPECT_TRUE(sys::mkdir(spec.run_dir, 0700));
  }
  ~KeeperProcess() {
    const auto pids = read_keeper_pids(spec.run_dir);
    if (!pids) return;
    kill(pids->main, pids->main_start);
    kill(pids->keeper, pids->keeper_start);
  }
  KeeperProcess(const KeeperProcess&) = delete;
  KeeperProcess& operator=(const KeeperProcess&) = delete;

  Result<pid_t> start() {
    auto report = sys::pipe().value();
    SpawnSpec spawn;
    spawn.argv = keeper_arguments(spec);
    spawn.argv.insert(spawn.argv.begin(), program_);
    spawn.fds = {{report.write_end.get(), kSyncFd}};
    for (const int fd : spec.preserve_fds) spawn.fds.push_back({fd, fd});
    auto child = Child::spawn(spawn).value();
    report.write_end.reset();
    auto main = await_report(report.read_end.get(), kTestDeadline);
    EXPECT_TRUE(child.wait(kTestDeadline)->success());  // it has left us
    if (main) adopt();
    return main;
  }
  // Finds a keeper that another process started in the run directory.
  void adopt() {
    const auto pids = read_keeper_pids(spec.run_dir).value();
    keeper_ = open_same_process(pids.keeper, pids.keeper_start).value();
  }
  [[nodiscard]] int keeper_pidfd() const { return keeper_.get(); }
  KeeperExit wait_exit() {
    EXPECT_TRUE(has_ended(keeper_.get(), kTestDeadline).value());
    auto exit = read_keeper_exit(spec.run_dir);
    EXPECT_TRUE(exit) << exit.error().message();
    return exit.value_or(KeeperExit{});
  }
  [[nodiscard]] FrameClient attach() const { return FrameClient::connect(KeeperPaths{spec.run_dir}.attach_socket()); }
  // The text of a log file, entries joined as a reader would.
  [[nodiscard]] static std::string log_text(const std::string& path) {
    std::string out;
    const std::string all = read_file(path).value_or("");
    for (const auto line : split(trim(all), '\n')) {
      const auto entry = parse_cri_entry(line);
      if (!entry) continue;
      out += entry->text;
      if (entry->tag == LogTag::kFull) out += '\n';
    }
    return out;
  }

  KeeperRunSpec spec;

 private:
  static void kill(pid_t pid, std::uint64_t start) {
    if (const auto process = open_same_process(pid, start)) static_cast<void>(send_signal(process->get(), SIGKILL));
  }

  std::string program_;
  Fd keeper_;
};

}  // namespace skerry::keeper
