#include "drivers/qemu/boot_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_io.h"
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
  const auto files = prepare_boot_files({kernel_of_file(*dir / "vmlinuz-1"), *dir / "agent", *dir / "cache"});
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
  const BootFilesSpec spec{kernel, *dir / "agent", *dir / "cache"};

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
