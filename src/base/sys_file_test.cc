#include "base/sys_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/openat2.h>
#include <sys/resource.h>

#include "base/file_io.h"
#include "base/temp_dir.h"
#include "base/text.h"

namespace skerry {
namespace {

class SysFileTest : public ::testing::Test {
 protected:
  TempDir dir_ = TempDir::create("sysfile").value();
  void file(const std::string& name, std::string_view content = "x") {
    ASSERT_TRUE(write_file_atomic(dir_ / name, content, 0644));
  }
};

TEST_F(SysFileTest, ErrorsNameTheCallAndThePath) {
  const auto missing = sys::open(dir_ / "missing", O_RDONLY);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(missing.error().step, cat("open ", dir_ / "missing"));
}

TEST_F(SysFileTest, EveryDescriptorIsCloseOnExec) {
  const auto pipe = sys::pipe().value();
  const Fd memory = sys::memfd("m").value();
  const Fd directory = sys::open(dir_.path(), O_PATH).value();
  const Fd copy = sys::dup(memory.get()).value();
  for (const int fd : {pipe.read_end.get(), pipe.write_end.get(), memory.get(), directory.get(), copy.get()}) {
    EXPECT_EQ(::fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  }
}

TEST_F(SysFileTest, Openat2StaysInside) {
  ASSERT_TRUE(sys::symlink("/etc", dir_ / "out"));
  const Fd root = sys::open(dir_.path(), O_PATH | O_DIRECTORY).value();
  EXPECT_FALSE(sys::openat2(root.get(), "out/passwd", O_RDONLY, RESOLVE_IN_ROOT));
  EXPECT_FALSE(sys::openat2(root.get(), "../", O_PATH, RESOLVE_BENEATH));
  file("here");
  EXPECT_TRUE(sys::openat2(root.get(), "/here", O_RDONLY, RESOLVE_IN_ROOT));
}

TEST_F(SysFileTest, MkdirAllMakesParentsAndAcceptsWhatIsThere) {
  EXPECT_TRUE(sys::mkdir_all(dir_ / "a/b/c", 0755));
  EXPECT_TRUE(sys::mkdir_all(dir_ / "a/b/c", 0755));
  file("a/f");
  EXPECT_FALSE(sys::mkdir_all(dir_ / "a/f", 0755));
  EXPECT_FALSE(sys::mkdir_all(dir_ / "a/f/g", 0755));
}

TEST_F(SysFileTest, ReadingHasALimit) {
  file("big", std::string(1000, 'x'));
  EXPECT_EQ(read_file(dir_ / "big").value().size(), 1000U);
  EXPECT_EQ(read_file(dir_ / "big", 999).error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(read_file(dir_ / "big", 1000).value().size(), 1000U);
}

TEST_F(SysFileTest, AnAtomicWriteReplacesWholeAndLeavesNothingBehind) {
  file("f", "old");
  EXPECT_TRUE(write_file_atomic(dir_ / "f", "new", 0600, Durability::kPowerLoss));
  EXPECT_EQ(read_file(dir_ / "f").value(), "new");
  EXPECT_EQ(sys::stat(dir_ / "f")->st_mode & 0777U, 0600U);
  EXPECT_FALSE(write_file_atomic(dir_ / "missing/f", "x", 0600));
  ASSERT_TRUE(sys::mkdir(dir_ / "d", 0755));
  EXPECT_FALSE(write_file_atomic(dir_ / "d", "x", 0600));  // rename over a directory fails
  ASSERT_TRUE(sys::unlink(dir_ / "f"));
  EXPECT_TRUE(sys::rmdir(dir_ / "d"));
  EXPECT_TRUE(sys::rmdir(dir_.path()));  // so nothing temporary is left
  EXPECT_TRUE(sys::mkdir(dir_.path(), 0700));
}

TEST_F(SysFileTest, ALockIsHeldByOne) {
  file("lock");
  const Fd first = sys::open(dir_ / "lock", O_RDWR).value();
  const Fd second = sys::open(dir_ / "lock", O_RDWR).value();
  EXPECT_TRUE(sys::flock(first.get(), sys::LockMode::kExclusive, sys::LockWait::kTry));
  EXPECT_EQ(sys::flock(second.get(), sys::LockMode::kShared, sys::LockWait::kTry).error().code, ErrorCode::kConflict);
}

TEST_F(SysFileTest, RemoveTreeFollowsNoSymlink) {
  file("kept");
  ASSERT_TRUE(sys::mkdir_all(dir_ / "t/sub", 0755));
  ASSERT_TRUE(sys::symlink(dir_.path(), dir_ / "t/up"));
  ASSERT_TRUE(sys::symlink(dir_ / "kept", dir_ / "t/sub/file"));
  EXPECT_TRUE(sys::remove_tree(dir_ / "t"));
  EXPECT_FALSE(sys::exists(dir_ / "t"));
  EXPECT_TRUE(sys::exists(dir_ / "kept"));
  ASSERT_TRUE(sys::symlink(dir_.path(), dir_ / "link"));
  EXPECT_TRUE(sys::remove_tree(dir_ / "link"));
  EXPECT_TRUE(sys::exists(dir_ / "kept"));
  EXPECT_TRUE(sys::remove_tree(dir_ / "missing"));
}

// A container can make a tree deeper than any stack or descriptor table.
TEST_F(SysFileTest, RemoveTreeGoesAsDeepAsItMust) {
  constexpr int kDepth = 400;
  ASSERT_TRUE(sys::mkdir(dir_ / "deep", 0755));
  Fd at = sys::open(dir_ / "deep", O_RDONLY | O_DIRECTORY).value();
  for (int i = 0; i < kDepth; ++i) {
    ASSERT_EQ(::mkdirat(at.get(), "a-name-of-some-length", 0755), 0);
    ASSERT_TRUE(sys::openat(at.get(), "file", O_CREAT | O_WRONLY, 0644));
    at = sys::openat(at.get(), "a-name-of-some-length", O_RDONLY | O_DIRECTORY).value();
  }
  at.reset();
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  const rlimit few{64, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto removed = sys::remove_tree(dir_ / "deep");
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  EXPECT_TRUE(removed) << removed.error().message();
  EXPECT_FALSE(sys::exists(dir_ / "deep"));
}

TEST_F(SysFileTest, RemoveTreeEmptiesWideDirectories) {
  ASSERT_TRUE(sys::mkdir(dir_ / "wide", 0755));
  const Fd wide = sys::open(dir_ / "wide", O_RDONLY | O_DIRECTORY).value();
  for (int i = 0; i < 200; ++i) {
    const std::string name = cat(std::string(200, 'd'), i);
    ASSERT_EQ(::mkdirat(wide.get(), name.c_str(), 0755), 0);
    ASSERT_TRUE(sys::openat(wide.get(), name + "/f", O_CREAT | O_WRONLY, 0644));
  }
  EXPECT_TRUE(sys::remove_tree(dir_ / "wide"));
  EXPECT_FALSE(sys::exists(dir_ / "wide"));
}

TEST(TempDirTest, GoesWithItsContent) {
  std::string path;
  {
    const TempDir dir = TempDir::create("gone").value();
    path = dir.path();
    EXPECT_EQ(sys::stat(path)->st_mode & 0777U, 0700U);
    ASSERT_TRUE(sys::mkdir_all(dir / "a/b", 0755));
  }
  EXPECT_FALSE(sys::exists(path));
}

}  // namespace
}  // namespace skerry
