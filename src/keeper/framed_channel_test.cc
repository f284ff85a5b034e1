#include "keeper/framed_channel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <mutex>

#include "base/file_io.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "keeper/keeper_testing.h"

namespace skerry::keeper {
namespace {

// A channel on its loop; the test plays the guest and the clients.
class FramedChannelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);
    auto pair = unix_pair().value();
    FramedChannel::Handlers handlers;
    handlers.output = [this](LogStream, std::string_view bytes) {
      const std::lock_guard lock(mutex_);
      output_ += bytes;
    };
    handlers.workload_exited = [this](int code, bool out_of_memory) {
      out_of_memory_ = out_of_memory;
      workload_code_ = code;
    };
    handlers.closed = [this](const std::string& reason) {
      const std::lock_guard lock(mutex_);
      closed_ = reason.empty() ? "gone" : reason;
    };
    handlers.uncongested = [] {};
    channel_ = FramedChannel::open(loop_, "agent", std::move(pair.first), paths_, std::move(handlers)).value();
    guest_.emplace(std::move(pair.second));
    thread_.run();
  }
  FrameClient client() { return FrameClient::connect(paths_.channel_socket("agent")); }
  std::string output() {
    const std::lock_guard lock(mutex_);
    return output_;
  }
  std::string closed() {
    const std::lock_guard lock(mutex_);
    return closed_;
  }

  TempDir dir_ = TempDir::create("chan").value();
  EventLoop loop_ = EventLoop::create().value();
  KeeperPaths paths_{dir_.path()};
  std::mutex mutex_;
  std::string output_;
  std::string closed_;
  std::atomic<int> workload_code_ = -1;
  std::atomic<bool> out_of_memory_ = false;
  std::unique_ptr<FramedChannel> channel_;
  LoopThread thread_{loop_};  // ends before what it calls
  std::optional<FrameClient> guest_;
};

TEST_F(FramedChannelTest, RenumbersTheSessionsOfItsClients) {
  auto a = client();
  auto b = client();
  a.send(FrameKind::kRequest, 1, "from a");
  const auto at_guest_a = guest_->next().value();
  b.send(FrameKind::kRequest, 1, "from b");
  const auto at_guest_b = guest_->next().value();
  EXPECT_EQ(at_guest_a.payload, "from a");
  EXPECT_EQ(at_guest_b.payload, "from b");
  EXPECT_NE(at_guest_a.session, at_guest_b.session);

  guest_->send(FrameKind::kStdout, at_guest_b.session, "for b");
  guest_->send(FrameKind::kStdout, at_guest_a.session, "for a");
  guest_->send(FrameKind::kExit, at_guest_a.session, encode_u32(7));
  const auto b_got = b.next().value();
  EXPECT_EQ(b_got.payload, "for b");
  EXPECT_EQ(b_got.session, 1U);
  int code = -1;
  EXPECT_EQ(a.collect(FrameKind::kStdout, &code), "for a");
  EXPECT_EQ(code, 7);
  // The number is free again.
  a.send(FrameKind::kRequest, 1, "again");
  EXPECT_EQ(guest_->next()->payload, "again");
}

TEST_F(FramedChannelTest, ClosesTheSessionsOfAClientThatGoes) {
  auto a = client();
  a.send(FrameKind::kRequest, 4, "x");
  const auto session = guest_->next()->session;
  a.close();
  const auto frame = guest_->next().value();
  EXPECT_EQ(frame.kind, FrameKind::kClose);
  EXPECT_EQ(frame.session, session);
}

TEST_F(FramedChannelTest, RetainsReadyAndEventForLaterClients) {
  guest_->send(FrameKind::kReady, 0, R"({"hello":1})");
  guest_->send(FrameKind::kEvent, 0, "old");
  guest_->send(FrameKind::kEvent, 0, "healthy");
  ASSERT_TRUE(eventually([&] { return read_file(paths_.event()).value_or("") == "healthy"; }));
  EXPECT_EQ(read_file(paths_.ready()).value(), R"({"hello":1})");
  auto late = client();
  EXPECT_EQ(late.next(FrameKind::kReady)->payload, R"({"hello":1})");
  auto early = client();
  EXPECT_EQ(early.next(FrameKind::kEvent)->payload, "healthy");
  guest_->send(FrameKind::kEvent, 0, "sick");
  EXPECT_EQ(early.next(FrameKind::kEvent)->payload, "sick");
}

TEST_F(FramedChannelTest, AFloodOfAnnouncementsIsJoined) {
  auto a = client();
  constexpr int kFlood = 5000;
  for (int i = 0; i < kFlood; ++i) guest_->send(FrameKind::kReady, 0, cat("number ", i));
  guest_->send(FrameKind::kStdout, 0, "end");
  // What came last is told in the end, and most of the rest never.
  const std::string last = cat("number ", kFlood - 1);
  int heard = 0;
  for (std::string payload; payload != last; ++heard) {
    const auto frame = a.next(FrameKind::kReady);
    ASSERT_TRUE(frame);
    payload = frame->payload;
  }
  EXPECT_LT(heard, kFlood / 10);
  EXPECT_EQ(read_file(paths_.ready()).value(), last);
  EXPECT_EQ(output(), "end");
}

TEST_F(FramedChannelTest, GivesTheWorkloadsOutputAndExitCodeToTheKeeper) {
  guest_->send(FrameKind::kStdout, 0, "out ");
  guest_->send(FrameKind::kStderr, 0, "err");
  guest_->send(FrameKind::kExit, 0, encode_u32(3));
  EXPECT_TRUE(eventually([&] { return workload_code_ == 3; }));
  EXPECT_EQ(output(), "out err");
  EXPECT_FALSE(out_of_memory_);
}

TEST_F(FramedChannelTest, AnExitForLackOfMemorySaysSo) {
  guest_->send(FrameKind::kExit, 0, encode_u32(137U | kExitOutOfMemory));
  EXPECT_TRUE(eventually([&] { return workload_code_ == 137; }));
  EXPECT_TRUE(out_of_memory_);
}

TEST_F(FramedChannelTest, PassesInputOfSessionZeroOn) {
  auto a = client();
  a.send(FrameKind::kSignal, 0, encode_u32(15));
  const auto frame = guest_->next().value();
  EXPECT_EQ(frame.kind, FrameKind::kSignal);
  EXPECT_EQ(decode_u32(frame.payload).value(), 15U);
}

TEST_F(FramedChannelTest, AMalformedFrameClosesTheChannelWithTheReason) {
  auto a = client();
  a.send(FrameKind::kRequest, 1, "x");
  ASSERT_TRUE(guest_->next());
  ASSERT_TRUE(sys::write_all(guest_->fd(), std::string(64, '\xff')));
  ASSERT_TRUE(eventually([&] { return !closed().empty(); }));
  EXPECT_NE(closed().find("malformed frame"), std::string::npos) << closed();
  EXPECT_NE(read_file(paths_.channel_error()).value().find("malformed frame"), std::string::npos);
  EXPECT_FALSE(a.next());  // its connection is closed
}

TEST_F(FramedChannelTest, IgnoresWhatAGuestInvents) {
  auto a = client();
  guest_->send(FrameKind::kStdout, 4711, "nobody asked");
  guest_->send(FrameKind::kExit, 4711, encode_u32(0));
  guest_->send(FrameKind::kExit, 0, "not a number");
  guest_->send(FrameKind::kRequest, 0, "the wrong way");
  guest_->send(FrameKind::kClose, 0);
  guest_->send(FrameKind::kStdout, 0, "still here");
  EXPECT_TRUE(eventually([&] { return output() == "still here"; }));
  EXPECT_EQ(workload_code_, -1);
  EXPECT_EQ(closed(), "");
}

TEST_F(FramedChannelTest, PausesTheSessionOfASlowReaderAndLosesNothing) {
  auto slow = client();
  slow.send(FrameKind::kRequest, 1, "cat big");
  const auto session = guest_->next()->session;
  // The guest writes until it is told to pause, then finishes what is under way.
  const std::string chunk(64U << 10U, 'x');
  std::size_t sent = 0;
  std::thread pauses([&] {
    const auto frame = guest_->next(FrameKind::kPause);
    EXPECT_EQ(frame->session, session);
  });
  while (sent < (600U << 10U)) {
    guest_->send(FrameKind::kStdout, session, chunk);
    sent += chunk.size();
  }
  pauses.join();
  // Others go on meanwhile.
  guest_->send(FrameKind::kStdout, 0, "workload");
  EXPECT_TRUE(eventually([&] { return output() == "workload"; }));
  std::size_t got = 0;
  while (got < sent) got += slow.next(FrameKind::kStdout)->payload.size();
  EXPECT_EQ(got, sent);
  EXPECT_EQ(guest_->next(FrameKind::kResume)->session, session);
}

TEST_F(FramedChannelTest, AGuestThatHearsLateLosesNoClient) {
  auto slow = client();
  slow.send(FrameKind::kRequest, 1, "cat big");
  const auto session = guest_->next()->session;
  // As on a busy host: it has written as fast as it was read, and looks at what it was told when it cannot go on.
  const std::string chunk(128U << 10U, 'x');
  constexpr int kChunks = 96;  // 12 MiB
  std::thread late([&] {
    for (int i = 0; i < kChunks; ++i) guest_->send(FrameKind::kStdout, session, chunk);
  });
  std::size_t got = 0;
  late.join();
  while (got < chunk.size() * kChunks) {
    const auto frame = slow.next(FrameKind::kStdout);
    ASSERT_TRUE(frame) << got;
    got += frame->payload.size();
  }
}

TEST_F(FramedChannelTest, DropsAClientWhoseGuestFloodsIt) {
  auto victim = client();
  victim.send(FrameKind::kRequest, 1, "x");
  const auto session = guest_->next()->session;
  const std::string chunk(128U << 10U, 'x');
  // The hostile guest does not heed kPause. The keeper's memory stays bounded: it gives the client up.
  std::thread flood([&] {
    for (int i = 0; i < 256; ++i) guest_->send(FrameKind::kStdout, session, chunk);
    guest_->send(FrameKind::kStdout, 0, "done");
  });
  EXPECT_TRUE(eventually([&] { return output() == "done"; }));
  flood.join();
  EXPECT_EQ(guest_->next(FrameKind::kClose)->session, session);
  auto other = client();
  other.send(FrameKind::kRequest, 9, "alive");
  EXPECT_EQ(guest_->next(FrameKind::kRequest)->payload, "alive");
}

TEST_F(FramedChannelTest, AClientThatBreaksTheRulesIsDroppedAlone) {
  auto bad = client();
  auto good = client();
  ASSERT_TRUE(sys::write_all(bad.fd(), std::string(64, '\xff')));
  EXPECT_FALSE(bad.next());
  auto twice = client();
  twice.send(FrameKind::kRequest, 1, "a");
  twice.send(FrameKind::kRequest, 1, "b");
  EXPECT_EQ(guest_->next()->payload, "a");
  EXPECT_EQ(guest_->next()->kind, FrameKind::kClose);
  good.send(FrameKind::kRequest, 1, "fine");
  EXPECT_EQ(guest_->next()->payload, "fine");
}

}  // namespace
}  // namespace skerry::keeper
