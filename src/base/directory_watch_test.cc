#include "base/directory_watch.h"

#include <gtest/gtest.h>
#include <sys/inotify.h>
#include <sys/resource.h>

#include <vector>

#include "base/file_io.h"
#include "base/temp_dir.h"
#include "base/text.h"

namespace skerry {
namespace {

TEST(DirectoryWatch, TellsOfAChangeOnce) {
  const auto dir = TempDir::create("watch").value();
  auto watch = DirectoryWatch::create(dir.path()).value();
  EXPECT_FALSE(watch.wait(Duration(0)).value());
  ASSERT_TRUE(write_file_atomic(dir / "file", "text", 0600));
  EXPECT_TRUE(watch.wait(std::chrono::seconds(10)).value());
  ASSERT_TRUE(watch.clear());
  EXPECT_FALSE(watch.wait(Duration(0)).value());
}

TEST(DirectoryWatch, NoDirectoryIsNotFound) {
  EXPECT_EQ(DirectoryWatch::create("/nonexistent/directory").error().code, ErrorCode::kNotFound);
}

// Who has no watch to spare still looks.
TEST(DirectoryWatch, TicksWhenTheKernelHasNoWatchLeft) {
  const auto dir = TempDir::create("watch").value();
  std::vector<Fd> all;
  while (all.size() < 100'000) {
    Fd next(::inotify_init1(IN_CLOEXEC));
    if (!next) break;
    all.push_back(std::move(next));
  }
  if (errno != EMFILE) GTEST_SKIP() << "the kernel gives out inotify instances without end";
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  if (all.size() + 16 > files.rlim_cur) all.resize(all.size() / 2);  // it was this limit, not inotify's
  auto watch = DirectoryWatch::create(dir.path());
  ASSERT_TRUE(watch) << watch.error().message();
  ASSERT_TRUE(write_file_atomic(dir / "file", "text", 0600));
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(watch->wait(std::chrono::seconds(10)).value());
    ASSERT_TRUE(watch->clear());
    ASSERT_TRUE(write_file_atomic(dir / "file", "again", 0600));
  }
}

}  // namespace
}  // namespace skerry
