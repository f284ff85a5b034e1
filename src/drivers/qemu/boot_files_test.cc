#include "drivers/qemu/boot_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>
#include <vector>

#include "base/file_io.h"
#include "base/sys_at.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "image/initramfs_builder.h"
#include "image/kernel_store.h"

namespace skerry::qemu {
namespace {

TEST(BootFiles, NotAKernelIsSaid) {
  const auto dir = TempDir::create("boot");
  ASSERT_TRUE(dir);
  ASSERT_TRUE(write_file_atomic(*dir / "vmlinuz-1", "not a kernel", 0644));
  ASSERT_TRUE(write_file_atomic(*dir / "agent", "agent", 0755));
  BootCache cache(*dir / "cache");
  const auto files = prepare_boot_files({kernel_of_file(*dir / "vmlinuz-1"), *dir / "agent", &cache});
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code, ErrorCode::kCorrupt);
}

// C62 to C64: the bzImage with this very agent inside boots alone; anything else takes the plain kernel.
TEST(BootFiles, TheKernelIsChosenByStrategy) {
  const auto dir = TempDir::create("boot");
  ASSERT_TRUE(dir);
  for (const char* name : {"vmlinux", "bzImage", "agent", "theirs"}) {
    ASSERT_TRUE(write_file_atomic(*dir / name, name, 0755));
  }
  GuestKernel kernel;
  kernel.origin = GuestKernel::Origin::kBuilt;
  kernel.vmlinux = GuestKernel::File{*dir / "vmlinux", Digest::from_hex(std::string(64, 'a')).value(), 7};
  kernel.bzimage = GuestKernel::File{*dir / "bzImage", Digest::from_hex(std::string(64, 'b')).value(), 7};
  kernel.boot_initramfs = initramfs_key({*dir / "agent", {}, {}})->text();
  BootCache cache(*dir / "cache");
  const BootFilesSpec spec{kernel, *dir / "agent", &cache};

  const auto rootfs = prepare_boot_files(spec).value();
  EXPECT_EQ(rootfs.kernel, *dir / "bzImage");
  EXPECT_EQ(rootfs.initramfs, "");

  const auto initramfs = prepare_boot_files(spec, *dir / "theirs", *dir / "out").value();
  EXPECT_EQ(initramfs.kernel, *dir / "vmlinux");
  EXPECT_EQ(initramfs.initramfs, *dir / "out");
  EXPECT_TRUE(read_file(*dir / "out")->ends_with("theirs"));

  // Another agent than the one inside, after an upgrade: the plain kernel carries the new one.
  ASSERT_TRUE(write_file_atomic(*dir / "agent", "newer agent", 0755));
  const auto upgraded = prepare_boot_files(spec).value();
  EXPECT_EQ(upgraded.kernel, *dir / "vmlinux");
  EXPECT_NE(upgraded.initramfs, "");
  EXPECT_NE(upgraded.key, rootfs.key);
}

class BootCacheTest : public ::testing::Test {
 protected:
  std::string path() const { return *dir_ / "cache/name"; }
  // As a user of the cache asks for the file: its content then. Counts how often it was made.
  std::string got(BootCache& cache) {
    const auto file = cache.file("name", [this](const std::string& temporary) {
      ++made_;
      return write_file_atomic(temporary, "as it was made", 0644);
    });
    EXPECT_TRUE(file) << file.error().message();
    EXPECT_EQ(file.value_or(""), path());
    return read_file(path()).value_or("");
  }
  Result<TempDir> dir_ = TempDir::create("cache");
  int made_ = 0;
};

TEST_F(BootCacheTest, AFileIsMadeOnce) {
  BootCache cache(*dir_ / "cache");
  EXPECT_EQ(got(cache), "as it was made");
  EXPECT_EQ(got(cache), "as it was made");
  BootCache next(*dir_ / "cache");
  EXPECT_EQ(got(next), "as it was made");
  EXPECT_EQ(made_, 1);
}

TEST_F(BootCacheTest, WhatWasChangedIsMadeAgain) {
  BootCache cache(*dir_ / "cache");
  got(cache);
  ASSERT_TRUE(write_file_atomic(path(), "another file", 0644));
  EXPECT_EQ(got(cache), "as it was made");
  // In place, of the same length, with the times that it had.
  const auto before = sys::stat(path()).value();
  {
    const Fd file = sys::open(path(), O_WRONLY).value();
    ASSERT_TRUE(sys::pwrite_all(file.get(), "XX", 0));
    ASSERT_TRUE(sys::futimens(file.get(), before.st_mtim));
  }
  EXPECT_EQ(got(cache), "as it was made");
  ASSERT_EQ(::truncate(path().c_str(), 5), 0);
  EXPECT_EQ(got(cache), "as it was made");
  ASSERT_TRUE(sys::unlink(path()));
  EXPECT_EQ(got(cache), "as it was made");
  EXPECT_EQ(made_, 5);
}

TEST_F(BootCacheTest, NobodyUsesWhatAnEarlierProcessLeftTorn) {
  for (const auto* torn : {"as it", "", "as it was MADE"}) {
    {
      BootCache before(*dir_ / "cache");
      got(before);
    }
    ASSERT_TRUE(write_file_atomic(path(), torn, 0644));
    BootCache after(*dir_ / "cache");
    EXPECT_EQ(got(after), "as it was made");
  }
  // Nor one of which nobody knows what it was: of a version of Skerry that kept no checksums, or half removed.
  ASSERT_TRUE(sys::unlink(path() + ".sha256"));
  BootCache after(*dir_ / "cache");
  const int before = made_;
  EXPECT_EQ(got(after), "as it was made");
  EXPECT_EQ(made_, before + 1);
}

TEST_F(BootCacheTest, WhatCannotBeMadeLeavesNothing) {
  BootCache cache(*dir_ / "cache");
  const auto file = cache.file("name", [](const std::string& temporary) -> Status {
    TRY(write_file_atomic(temporary, "half", 0644));
    return fail(ErrorCode::kIo, "the disk is full");
  });
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kIo);
  EXPECT_EQ(sys::list_directory(*dir_ / "cache").value(), std::vector<std::string>{"lock"});
}

// Two programs, or two drivers of one daemon.
TEST_F(BootCacheTest, ManyAtOnceMakeOneFile) {
  std::atomic<int> made = 0;
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      BootCache cache(*dir_ / "cache");
      const auto file = cache.file("name", [&](const std::string& temporary) {
        ++made;
        return write_file_atomic(temporary, "as it was made", 0644);
      });
      EXPECT_TRUE(file && read_file(*file).value_or("") == "as it was made");
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(made, 1);
}

// The directory may be read by all, and a lock (flock(2)) may be taken by whoever can open a file.
TEST_F(BootCacheTest, NobodyElseCanHoldItUp) {
  const std::string directory = *dir_ / "cache";
  ASSERT_TRUE(sys::mkdir_all(directory, 0755));
  Fd stranger = sys::open(directory, O_RDONLY | O_DIRECTORY).value();
  ASSERT_TRUE(sys::flock(stranger.get(), sys::LockMode::kExclusive, sys::LockWait::kTry));
  BootCache cache(directory);
  auto asked = std::async(std::launch::async, [&] { return got(cache); });
  EXPECT_EQ(asked.wait_for(std::chrono::seconds(10)), std::future_status::ready) << "it waits for a stranger";
  stranger.reset();
  EXPECT_EQ(asked.get(), "as it was made");
  const auto names = sys::list_directory(directory).value();
  for (const auto& name : names) {
    if (cat(directory, "/", name) == path()) continue;
    EXPECT_EQ(sys::stat(cat(directory, "/", name))->st_mode & 0077U, 0U) << name << " can be locked by others";
  }
}

TEST(BootFiles, TheInitramfsIsVerified) {
  const auto dir = TempDir::create("boot");
  ASSERT_TRUE(dir);
  for (const char* name : {"vmlinux", "agent"}) ASSERT_TRUE(write_file_atomic(*dir / name, name, 0755));
  GuestKernel kernel;
  kernel.origin = GuestKernel::Origin::kBuilt;
  kernel.vmlinux = GuestKernel::File{*dir / "vmlinux", Digest::from_hex(std::string(64, 'a')).value(), 7};
  BootCache cache(*dir / "cache");
  const BootFilesSpec spec{kernel, *dir / "agent", &cache};
  const auto first = prepare_boot_files(spec).value();
  const auto good = read_file(first.initramfs).value();
  ASSERT_TRUE(write_file_atomic(first.initramfs, "an agent of somebody else", 0644));
  const auto second = prepare_boot_files(spec).value();
  EXPECT_EQ(second.initramfs, first.initramfs);
  EXPECT_EQ(second.key, first.key);
  EXPECT_EQ(read_file(second.initramfs).value(), good);
}

TEST(OverlayDisk, WhatIsCopiedIsVerified) {
  if (!sys::exists("/usr/sbin/mke2fs")) GTEST_SKIP() << "needs mke2fs (package e2fsprogs)";
  const auto dir = TempDir::create("overlay");
  ASSERT_TRUE(dir);
  BootCache cache(*dir / "cache");
  ASSERT_TRUE(make_overlay_disk(*dir / "one", 512, cache));
  const std::string empty = *dir / "cache/layer-512m.ext4";
  {
    // Where there was a hole, so that no length changes.
    const Fd file = sys::open(empty, O_WRONLY).value();
    ASSERT_TRUE(sys::pwrite_all(file.get(), "a file that nobody made", 300U << 20U));
  }
  ASSERT_TRUE(make_overlay_disk(*dir / "two", 512, cache));
  const Fd file = sys::open(*dir / "two", O_RDONLY).value();
  std::string found(6, ' ');
  ASSERT_TRUE(sys::pread(file.get(), found.data(), found.size(), 300U << 20U));
  EXPECT_EQ(found, std::string(6, '\0'));
}

TEST(OverlayDisk, IsASparseFileSystem) {
  if (!sys::exists("/usr/sbin/mke2fs")) GTEST_SKIP() << "needs mke2fs (package e2fsprogs)";
  const auto dir = TempDir::create("overlay");
  ASSERT_TRUE(dir);
  const std::string path = *dir / "overlay.img";
  BootCache cache(*dir / "cache");
  const auto made = make_overlay_disk(path, 8192, cache);
  ASSERT_TRUE(made) << made.error().message();
  const auto info = sys::stat(path).value();
  EXPECT_EQ(info.st_size, off_t{8192} << 20U);
  EXPECT_LT(info.st_blocks * 512, off_t{1} << 20U) << "it is copied for every fork";
  const Fd file = sys::open(path, O_RDONLY).value();
  std::string start(2048, '\0');
  ASSERT_EQ(::pread(file.get(), start.data(), start.size(), 0), 2048);
  EXPECT_EQ(start.substr(1080, 2), "\x53\xef");
  // What is there is never formatted again.
  ASSERT_TRUE(write_file_atomic(path, "mine", 0600));
  ASSERT_TRUE(make_overlay_disk(path, 8192, cache));
  EXPECT_EQ(read_file(path).value_or(""), "mine");
}

}  // namespace
}  // namespace skerry::qemu
