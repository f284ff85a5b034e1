#include "image/initramfs_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file_io.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"
#include "base/text.h"

namespace skerry {
namespace {

constexpr const char* kDep =
    "kernel/drivers/virtio/virtio_ring.ko:\n"
    "kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko\n"
    "kernel/drivers/block/virtio-blk.ko: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko\n"
    "kernel/drivers/char/virtio_console.ko: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko\n";

TEST(ModuleLoadOrder, DependenciesComeFirstAndOnce) {
  const auto order = module_load_order(kDep, "kernel/fs/ext4/ext4.ko\n", {"virtio_blk", "ext4", "virtio_console"});
  ASSERT_TRUE(order) << order.error().message();
  EXPECT_THAT(*order,
              testing::ElementsAre("kernel/drivers/virtio/virtio_ring.ko", "kernel/drivers/virtio/virtio.ko",
                                   "kernel/drivers/block/virtio-blk.ko", "kernel/drivers/char/virtio_console.ko"));
}

TEST(ModuleLoadOrder, NamesTheMissing) {
  const auto order = module_load_order(kDep, "", {"nosuch"});
  ASSERT_FALSE(order);
  EXPECT_EQ(order.error().code, ErrorCode::kNotFound);
  EXPECT_NE(order.error().message().find("nosuch"), std::string::npos);
}

class Initramfs : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(sys::mkdir_all(*dir_ / "kernel/drivers/virtio", 0755));
    ASSERT_TRUE(write_file_atomic(*dir_ / "agent", "binary", 0755));
    ASSERT_TRUE(write_file_atomic(*dir_ / "modules.dep", "kernel/drivers/virtio/virtio_ring.ko:\n", 0644));
    ASSERT_TRUE(write_file_atomic(*dir_ / "modules.builtin", "", 0644));
    ASSERT_TRUE(write_file_atomic(*dir_ / "kernel/drivers/virtio/virtio_ring.ko", "module bytes", 0644));
    spec_ = {*dir_ / "agent", dir_->path(), {"virtio_ring"}};
  }
  Result<TempDir> dir_ = TempDir::create("initramfs");
  InitramfsSpec spec_;
};

TEST_F(Initramfs, HoldsAgentModulesAndOrder) {
  const auto archive = build_initramfs(spec_);
  ASSERT_TRUE(archive) << archive.error().message();
  for (const char* part : {"init", "binary", "lib/skerry/modules/order", "virtio_ring.ko\n", "module bytes"}) {
    EXPECT_NE(archive->find(part), std::string::npos) << part;
  }
  EXPECT_EQ(*archive, build_initramfs(spec_).value());
}

// As distributions pack them (CONFIG_MODULE_COMPRESS_GZIP, _XZ, _ZSTD).
TEST_F(Initramfs, PackedModulesAreUnpacked) {
  const std::string module = *dir_ / "kernel/drivers/virtio/virtio_ring.ko";
  for (const auto& [program, suffix] : {std::pair("gzip", "gz"), std::pair("xz", "xz"), std::pair("zstd", "zst")}) {
    ASSERT_TRUE(
        write_file_atomic(*dir_ / "modules.dep", cat("kernel/drivers/virtio/virtio_ring.ko.", suffix, ":\n"), 0644));
    SpawnSpec pack;
    pack.argv = {cat("/usr/bin/", program), "-qkf", module};
    ASSERT_TRUE(run_command(pack, std::chrono::seconds(20)).value().status.success()) << program;
    const auto archive = build_initramfs(spec_);
    ASSERT_TRUE(archive) << archive.error().message();
    EXPECT_NE(archive->find("module bytes"), std::string::npos) << suffix;
    EXPECT_NE(archive->find("virtio_ring.ko\n"), std::string::npos) << suffix;
  }
}

TEST_F(Initramfs, KeyFollowsTheContent) {
  const auto key = initramfs_key(spec_);
  ASSERT_TRUE(key);
  EXPECT_EQ(*key, initramfs_key(spec_).value());
  ASSERT_TRUE(write_file_atomic(*dir_ / "agent", "binarx", 0755));
  EXPECT_NE(*key, initramfs_key(spec_).value());
}

TEST_F(Initramfs, NamesWhatIsMissing) {
  spec_.agent = *dir_ / "nosuch";
  EXPECT_EQ(build_initramfs(spec_).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace skerry
