#include "drivers/qemu/boot_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"
#include "base/text.h"

namespace skerry::qemu {
namespace {

TEST(NewestKernel, PrefersCloudThenTheHighestVersion) {
  const auto dir = TempDir::create("boot");
  ASSERT_TRUE(dir);
  EXPECT_EQ(newest_kernel(dir->path()).error().code, ErrorCode::kNotFound);
  for (const char* name : {"vmlinuz-6.1.0-9-cloud-amd64", "vmlinuz-6.1.0-10-cloud-amd64", "vmlinuz-6.12.0-1-amd64",
                           "initrd.img-6.1.0-99-cloud-amd64"}) {
    ASSERT_TRUE(write_file_atomic(*dir / name, "", 0644));
  }
  EXPECT_EQ(newest_kernel(dir->path()).value_or(""), *dir / "vmlinuz-6.1.0-10-cloud-amd64");
}

TEST(KernelRelease, ComesFromTheName) {
  EXPECT_EQ(kernel_release("/boot/vmlinuz-6.1.0-9-cloud-amd64"), "6.1.0-9-cloud-amd64");
  EXPECT_EQ(kernel_release("/srv/vmlinux-5.4"), "5.4");
  EXPECT_EQ(kernel_release("/srv/kernel"), "");
}

TEST(BootFiles, NotAKernelIsSaid) {
  const auto dir = TempDir::create("boot");
  ASSERT_TRUE(dir);
  ASSERT_TRUE(write_file_atomic(*dir / "vmlinuz-1", "not a kernel", 0644));
  ASSERT_TRUE(write_file_atomic(*dir / "agent", "agent", 0755));
  const auto files = prepare_boot_files({*dir / "vmlinuz-1", *dir / "agent", *dir / "cache"});
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code, ErrorCode::kCorrupt);
}

TEST(OverlayDisk, IsASparseFileSystem) {
  if (!sys::exists("/usr/sbin/mke2fs")) GTEST_SKIP() << "needs mke2fs (package e2fsprogs)";
  const auto dir = TempDir::create("overlay");
  ASSERT_TRUE(dir);
  const std::string path = *dir / "overlay.img";
  const auto made = make_overlay_disk(path, 512, *dir / "cache");
  ASSERT_TRUE(made) << made.error().message();
  const auto info = sys::stat(path).value();
  EXPECT_EQ(info.st_size, off_t{512} << 20U);
  EXPECT_LT(info.st_blocks * 512, off_t{32} << 20U);
  const Fd file = sys::open(path, O_RDONLY).value();
  std::string start(2048, '\0');
  ASSERT_EQ(::pread(file.get(), start.data(), start.size(), 0), 2048);
  EXPECT_EQ(start.substr(1080, 2), "\x53\xef");
  // What is there is never formatted again.
  ASSERT_TRUE(write_file_atomic(path, "mine", 0600));
  ASSERT_TRUE(make_overlay_disk(path, 512, *dir / "cache"));
  EXPECT_EQ(read_file(path).value_or(""), "mine");
}

}  // namespace
}  // namespace skerry::qemu
