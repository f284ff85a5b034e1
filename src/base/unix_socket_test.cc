#include "base/unix_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys_file.h"
#include "base/temp_dir.h"

namespace skerry {
namespace {

class UnixSocketTest : public ::testing::Test {
 protected:
  TempDir dir_ = TempDir::create("socket").value();
  std::string path_ = dir_ / "s";
};

TEST_F(UnixSocketTest, ListensWithItsModeAndKnowsThePeer) {
  const Fd listener = unix_listen(path_, 0600).value();
  EXPECT_EQ(sys::stat(path_)->st_mode & 0777U, 0600U);
  const Fd client = unix_connect(path_).value();
  const Fd server = unix_accept(listener.get()).value();
  const auto peer = peer_credentials(server.get()).value();
  EXPECT_EQ(peer.pid, ::getpid());
  EXPECT_EQ(peer.uid, ::getuid());
}

TEST_F(UnixSocketTest, ReplacesAStaleSocketButNotALiveOne) {
  {
    const Fd gone = unix_listen(path_, 0600).value();
  }
  EXPECT_EQ(unix_connect(path_).error().code, ErrorCode::kUnavailable);
  const Fd listener = unix_listen(path_, 0600).value();
  EXPECT_EQ(unix_listen(path_, 0600).error().code, ErrorCode::kAlreadyExists);
  EXPECT_TRUE(unix_connect(path_));
}

TEST_F(UnixSocketTest, TellsAMissingSocketFromADeadOne) {
  EXPECT_EQ(unix_connect(dir_ / "none").error().code, ErrorCode::kNotFound);
}

// A program that listens and accepts nobody, as one that its guest has taken over may.
TEST_F(UnixSocketTest, WaitsForAPlaceInTheQueueOnlySoLong) {
  const Fd listener = unix_listen(path_, 0600, 0).value();
  std::vector<Fd> waiting;
  constexpr Duration kShort = std::chrono::milliseconds(20);
  auto next = unix_connect(path_, kShort);
  for (; next && waiting.size() < 16; next = unix_connect(path_, kShort)) waiting.push_back(std::move(*next));
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().code, ErrorCode::kDeadlineExceeded) << next.error().message();
  // The patience is that of the connection alone.
  timeval left{};
  socklen_t size = sizeof left;
  ASSERT_EQ(::getsockopt(waiting.front().get(), SOL_SOCKET, SO_SNDTIMEO, &left, &size), 0);
  EXPECT_EQ(left.tv_sec + left.tv_usec, 0);
}

TEST_F(UnixSocketTest, TakesPathsLongerThanTheKernels) {
  const std::string deep = dir_ / std::string(120, 'd');
  ASSERT_TRUE(sys::mkdir(deep, 0700));
  const Fd listener = unix_listen(deep + "/s", 0600).value();
  EXPECT_TRUE(sys::exists(deep + "/s"));
  EXPECT_TRUE(unix_connect(deep + "/s"));
  EXPECT_EQ(unix_connect(dir_ / std::string(200, 'x')).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(UnixSocketTest, PassesDescriptors) {
  auto pair = unix_pair().value();
  const auto pipe = sys::pipe().value();
  ASSERT_TRUE(send_with_fds(pair.first.get(), "take", {pipe.write_end.get(), pipe.read_end.get()}));
  const auto message = receive_with_fds(pair.second.get(), 100).value();
  EXPECT_EQ(message.data, "take");
  ASSERT_EQ(message.fds.size(), 2U);
  ASSERT_TRUE(sys::write_all(message.fds[0].get(), "x"));
  char byte = 0;
  EXPECT_EQ(sys::read(pipe.read_end.get(), &byte, 1).value(), 1U);
  pair.first.reset();
  EXPECT_TRUE(receive_with_fds(pair.second.get(), 100).value().data.empty());
  EXPECT_FALSE(send_with_fds(pair.second.get(), "", {}));
}

}  // namespace
}  // namespace skerry
