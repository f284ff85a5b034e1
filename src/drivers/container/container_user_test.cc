#include "drivers/container/container_user.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/sys_namespace.h"
#include "base/temp_dir.h"

namespace skerry {
namespace {

class FindAccountTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(sys::mkdir_all(dir_ / "rootfs/etc", 0755));
    ASSERT_TRUE(sys::mkdir_all(dir_ / "outside", 0755));
    ASSERT_TRUE(write_file_atomic(dir_ / "outside/passwd", "host:x:4242:4242::/:/bin/sh\n", 0644));
  }
  void put(const std::string& name, std::string_view text) {
    ASSERT_TRUE(write_file_atomic(dir_ / ("rootfs/" + name), text, 0644));
  }
  [[nodiscard]] Result<Account> find(const std::string& user) const { return find_account(dir_ / "rootfs", user); }
  TempDir dir_ = TempDir::create("find-account").value();
};

TEST_F(FindAccountTest, ByTheContainersOwnFiles) {
  put("etc/passwd", "app:x:1000:1001::/home/app:/bin/sh\n");
  put("etc/group", "audio:x:29:app\n");
  const auto account = find("app");
  ASSERT_TRUE(account) << account.error().message();
  EXPECT_EQ(account->uid, 1000U);
  EXPECT_EQ(account->gid, 1001U);
  EXPECT_EQ(account->groups, (std::vector<gid_t>{29}));
}

TEST_F(FindAccountTest, WithoutFilesNumbersWork) {
  EXPECT_EQ(find("").value().uid, 0U);
  EXPECT_EQ(find("7:8").value().gid, 8U);
  EXPECT_EQ(find("app").error().code, ErrorCode::kNotFound);
}

TEST_F(FindAccountTest, SymlinksLeadWithinTheRoot) {
  ASSERT_TRUE(sys::symlink("/outside/passwd", dir_ / "rootfs/etc/passwd"));
  EXPECT_EQ(find("host").error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(sys::mkdir_all(dir_ / "rootfs/outside", 0755));
  put("outside/passwd", "inside:x:7:7::/:/bin/sh\n");
  EXPECT_EQ(find("inside").value().uid, 7U);
  EXPECT_EQ(find("host").error().code, ErrorCode::kNotFound);
}

TEST_F(FindAccountTest, DoesNotClimbOut) {
  ASSERT_TRUE(sys::symlink("../../../../../../../.." + (dir_ / "outside/passwd"), dir_ / "rootfs/etc/passwd"));
  EXPECT_EQ(find("host").error().code, ErrorCode::kNotFound);
}

// In a running container /proc and /sys are there: the daemon may read more of them than the container's root.
TEST_F(FindAccountTest, NothingThatIsMountedInItIsRead) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: mounts";
  const std::string mounted = dir_ / "rootfs/mounted";
  ASSERT_TRUE(sys::mkdir_all(mounted, 0755));
  ASSERT_TRUE(sys::mount("tmpfs", mounted, "tmpfs", 0));
  put("mounted/passwd", "other:x:8:8::/:/bin/sh\n");
  ASSERT_TRUE(sys::symlink("/mounted/passwd", dir_ / "rootfs/etc/passwd"));
  EXPECT_EQ(find("other").error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(sys::umount(mounted, MNT_DETACH));
}

TEST_F(FindAccountTest, AFifoDoesNotHoldItUp) {
  ASSERT_EQ(::mkfifo((dir_ / "rootfs/etc/passwd").c_str(), 0644), 0);
  EXPECT_EQ(find("0").value().uid, 0U);
}

}  // namespace
}  // namespace skerry
