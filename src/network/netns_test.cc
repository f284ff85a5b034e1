#include "network/netns.h"

#include <net/if.h>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "network/testing.h"

namespace skerry::network {
namespace {

class Netns : public PrivateHost {};

TEST_F(Netns, IsNewHasLoopbackAndLivesWithoutAProcess) {
  const std::string path = make_netns("a");
  const Fd fd = open_netns(path).value();
  EXPECT_NE(sys::fstat(fd.get()).value().st_ino, sys::fstat(host()).value().st_ino);
  Netlink inside = Netlink::open_in(fd.get()).value();
  const auto links = list_links(inside).value();
  const auto lo = find_link(inside, "lo").value();
  ASSERT_TRUE(lo);
  EXPECT_TRUE(lo->flags & IFF_UP);
  EXPECT_FALSE(links.empty());
}

TEST_F(Netns, CreationDoesNotMoveTheCaller) {
  const auto before = sys::stat("/proc/thread-self/ns/net").value().st_ino;
  make_netns("a");
  EXPECT_EQ(sys::stat("/proc/thread-self/ns/net").value().st_ino, before);
}

TEST_F(Netns, TakenPathIsRefusedAndUnharmed) {
  const std::string path = make_netns("a");
  const auto inode = sys::stat(path).value().st_ino;
  const auto again = create_netns(path);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(sys::stat(path).value().st_ino, inode);
}

TEST_F(Netns, FailedCreationLeavesNothing) {
  const auto failed = create_netns(temp() / "missing/a");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kNotFound);
}

TEST_F(Netns, RemovalIsIdempotent) {
  const std::string path = make_netns("a");
  ASSERT_OK(remove_netns(path));
  EXPECT_FALSE(sys::exists(path));
  ASSERT_OK(remove_netns(path));
}

TEST_F(Netns, RemovesWhatAKilledCreationLeft) {
  const std::string never_mounted = temp() / "plain";
  ASSERT_OK(write_file_atomic(never_mounted, "", 0400));
  const auto opened = open_netns(never_mounted);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kCorrupt);
  ASSERT_OK(remove_netns(never_mounted));
  EXPECT_FALSE(sys::exists(never_mounted));

  const std::string twice = make_netns("twice");
  ASSERT_OK(sys::mount("/proc/self/ns/net", twice, {}, MS_BIND));
  ASSERT_OK(remove_netns(twice));
  EXPECT_FALSE(sys::exists(twice));
}

TEST_F(Netns, OpeningNothingIsNotFound) {
  const auto missing = open_netns(temp() / "nothing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
}

TEST_F(Netns, RunInReportsTheErrorOfTheWork) {
  const Fd fd = open_netns(make_netns("a")).value();
  const auto status = run_in_netns(fd.get(), [] { return Status(fail(ErrorCode::kConflict, "inside")); });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kConflict);
}

}  // namespace
}  // namespace skerry::network
