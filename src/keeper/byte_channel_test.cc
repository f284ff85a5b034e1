#include "keeper/byte_channel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>

#include "base/file_io.h"
#include "base/temp_dir.h"
#include "keeper/keeper_testing.h"

namespace skerry::keeper {
namespace {

class ByteChannelTest : public ::testing::Test {
 protected:
  void open(ChannelMode mode) {
    std::signal(SIGPIPE, SIG_IGN);
    auto pair = unix_pair().value();
    std::optional<RotatingFile> log;
    if (mode == ChannelMode::kConsole) log = RotatingFile::open(dir_ / "console.log", 1U << 20U, 2).value();
    channel_ = ByteChannel::open(loop_, dir_ / "c.sock", std::move(pair.first), mode, std::move(log), [this] {
                 closed_ = true;
               }).value();
    process_ = std::move(pair.second);
    thread_.run();
  }
  Fd connect() {
    Fd socket = unix_connect(dir_ / "c.sock").value();
    const timeval limit{10, 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return socket;
  }
  static std::string read_exactly(int fd, std::size_t size) {
    std::string out;
    while (out.size() < size) {
      std::string part(size - out.size(), '\0');
      const auto got = sys::read(fd, part.data(), part.size());
      if (!got || *got == 0) break;
      out += part.substr(0, *got);
    }
    return out;
  }

  TempDir dir_ = TempDir::create("bytes").value();
  EventLoop loop_ = EventLoop::create().value();
  std::unique_ptr<ByteChannel> channel_;
  LoopThread thread_{loop_};
  Fd process_;
  std::atomic<bool> closed_ = false;
};

TEST_F(ByteChannelTest, KeepsTheGreetingForTheFirstClient) {
  open(ChannelMode::kRaw);
  ASSERT_TRUE(sys::write_all(process_.get(), "greeting\n"));
  const Fd client = connect();
  EXPECT_EQ(read_exactly(client.get(), 9), "greeting\n");
  ASSERT_TRUE(sys::write_all(client.get(), "command\n"));
  EXPECT_EQ(read_exactly(process_.get(), 8), "command\n");
}

TEST_F(ByteChannelTest, ServesRawClientsOneAfterTheOther) {
  open(ChannelMode::kRaw);
  Fd first = connect();
  ASSERT_TRUE(sys::write_all(process_.get(), "1"));
  EXPECT_EQ(read_exactly(first.get(), 1), "1");
  const Fd second = connect();  // waits in the queue of the socket
  ASSERT_TRUE(sys::write_all(process_.get(), "2"));
  EXPECT_EQ(read_exactly(first.get(), 1), "2");
  first.reset();
  ASSERT_TRUE(sys::write_all(second.get(), "x"));
  EXPECT_EQ(read_exactly(process_.get(), 1), "x");  // so the second is served by now
  ASSERT_TRUE(sys::write_all(process_.get(), "3"));
  EXPECT_EQ(read_exactly(second.get(), 1), "3");
}

TEST_F(ByteChannelTest, ReplaysTheConsoleToEveryClientAndLogsIt) {
  open(ChannelMode::kConsole);
  ASSERT_TRUE(sys::write_all(process_.get(), "boot\n"));
  const Fd first = connect();
  EXPECT_EQ(read_exactly(first.get(), 5), "boot\n");
  const Fd second = connect();
  EXPECT_EQ(read_exactly(second.get(), 5), "boot\n");
  ASSERT_TRUE(sys::write_all(process_.get(), "login:"));
  EXPECT_EQ(read_exactly(first.get(), 6), "login:");
  EXPECT_EQ(read_exactly(second.get(), 6), "login:");
  EXPECT_EQ(read_file(dir_ / "console.log").value(), "boot\nlogin:");
}

TEST_F(ByteChannelTest, AClientThatDoesNotReadNeverStopsTheProcess) {
  open(ChannelMode::kConsole);
  const Fd stuck = connect();
  const std::string chunk(1U << 20U, 'x');
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(sys::write_all(process_.get(), chunk));
  process_.reset();
  EXPECT_TRUE(eventually([&] { return closed_.load(); }));
}

TEST(RingText, KeepsTheLastBytesFromALineOn) {
  RingText ring(8);
  ring.append("ab\ncd\n");
  EXPECT_EQ(ring.content(), "ab\ncd\n");
  ring.append("efg\n");
  EXPECT_EQ(ring.content(), "cd\nefg\n");
  ring.append("0123456789\n0123456789");
  EXPECT_EQ(ring.content(), "23456789");
  ring.clear();
  EXPECT_EQ(ring.content(), "");
}

}  // namespace
}  // namespace skerry::keeper
