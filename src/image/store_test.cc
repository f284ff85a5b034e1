#include "image/store.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"
#include "image/layer_testing.h"

namespace skerry {
namespace {

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string tar = test_tar({{"etc", AE_IFDIR, "", false, 0755}, {"etc/x", AE_IFREG, "content"}});
    ASSERT_TRUE(write_file_atomic(dir_ / "rootfs.tar", tar, 0600));
    auto opened = ImageStore::open({dir_ / "images", {}});
    ASSERT_TRUE(opened) << opened.error().message();
    store_ = std::move(*opened);
  }
  Result<Image> import(const std::string& name) {
    ImageConfig config;
    config.cmd = {name};  // so that each name is an image of its own
    return store_->import_rootfs(dir_ / "rootfs.tar", TRY(ImageReference::parse(name)), config, {});
  }

  TempDir dir_ = TempDir::create("store").value();
  std::unique_ptr<ImageStore> store_;
};

TEST_F(StoreTest, IsForOneOwner) {
  const auto second = ImageStore::open({dir_ / "images", {}});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
  store_.reset();
  EXPECT_TRUE(ImageStore::open({dir_ / "images", {}}));
}

TEST_F(StoreTest, ManyThreadsMakeOneDisk) {
  const Image image = import("a:1").value();
  std::vector<std::string> disks(8);
  std::vector<std::jthread> threads;
  for (auto& disk : disks) {
    threads.emplace_back([&] { disk = store_->base_disk(image, {}).value_or("failed"); });
  }
  threads.clear();
  for (const auto& disk : disks) EXPECT_EQ(disk, disks.front());
  EXPECT_TRUE(sys::exists(disks.front()));
}

TEST_F(StoreTest, ThreadsComeAndGo) {
  // Imports, removals, listings and disks at once; afterwards everything that is listed works.
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([this, thread] {
      for (int round = 0; round < 10; ++round) {
        const std::string name = "image" + std::to_string(thread) + ":1";
        const auto image = import(name);
        EXPECT_TRUE(image) << image.error().message();
        if (round % 2 == 0) {
          EXPECT_TRUE(store_->base_disk(*image, {}));
        }
        EXPECT_GE(store_->list().size(), 1U);
        if (round < 9) {
          EXPECT_TRUE(store_->remove(name));
        }
      }
    });
  }
  threads.clear();
  const auto images = store_->list();
  EXPECT_EQ(images.size(), 4U);
  for (const auto& image : images) EXPECT_TRUE(store_->base_disk(image, {}));
}

TEST_F(StoreTest, ADiskThatWasChangedIsMadeAgain) {
  const Image image = import("a:1").value();
  const std::string path = store_->base_disk(image, {}).value();
  const std::string good = read_file(path).value();
  const auto damage = [&](const std::string& content) { ASSERT_TRUE(write_file_atomic(path, content, 0400)); };
  for (const auto& bad : {good.substr(0, 100), good + "x", std::string(good.size(), 'x'), std::string()}) {
    damage(bad);
    EXPECT_EQ(store_->base_disk(image, {}).value_or("failed"), path);
    EXPECT_EQ(read_file(path).value(), good);
  }
  // Also by the next process, which has not seen it before, and when nobody knows what it was.
  damage("bad");
  store_.reset();
  store_ = ImageStore::open({dir_ / "images", {}}).value();
  EXPECT_EQ(store_->base_disk(image, {}).value_or("failed"), path);
  EXPECT_EQ(read_file(path).value(), good);
  ASSERT_TRUE(sys::unlink(path + ".sha256"));
  damage("bad");
  EXPECT_EQ(store_->base_disk(image, {}).value_or("failed"), path);
  EXPECT_EQ(read_file(path).value(), good);
  ASSERT_TRUE(store_->remove("a:1"));
  EXPECT_FALSE(sys::exists(path));
  EXPECT_FALSE(sys::exists(path + ".sha256"));
}

TEST_F(StoreTest, ADiskWhoseLayersWereChangedTooIsRefused) {
  const Image image = import("a:1").value();
  const std::string path = store_->base_disk(image, {}).value();
  ASSERT_TRUE(write_file_atomic(path, "bad", 0400));
  const std::string blob = dir_ / ("images/blobs/sha256/" + std::string(image.layers.at(0).digest.hex()));
  const std::string other = test_tar({{"etc", AE_IFDIR, "", false, 0755}, {"etc/x", AE_IFREG, "another"}});
  ASSERT_TRUE(write_file_atomic(blob, other, 0400));
  const auto refused = store_->base_disk(image, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kCorrupt);
  EXPECT_FALSE(sys::exists(path));
}

TEST_F(StoreTest, AChecksumWhoseDiskNeverCameGoesWithItsImage) {
  const Image image = import("a:1").value();
  const std::string path = store_->base_disk(image, {}).value();
  ASSERT_TRUE(sys::unlink(path));
  ASSERT_TRUE(sys::exists(path + ".sha256")) << "as when a crash came between the two";
  ASSERT_TRUE(store_->remove("a:1"));
  EXPECT_FALSE(sys::exists(path + ".sha256"));
}

TEST_F(StoreTest, FindAndRemove) {
  const Image image = import("a:1").value();
  EXPECT_EQ(store_->find("a:1").value(), image);
  EXPECT_EQ(store_->find(image.manifest_digest.text()).value(), image);
  EXPECT_EQ(store_->find("b:1").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->find("Not/valid").error().code, ErrorCode::kInvalidArgument);
  const auto removed = store_->remove("a:1").value();
  EXPECT_EQ(removed.manifests, std::vector<Digest>{image.manifest_digest});
  EXPECT_GT(removed.freed_bytes, 0U);
  EXPECT_TRUE(store_->list().empty());
}

TEST_F(StoreTest, CancelledWorkLeavesNothing) {
  const Image image = import("a:1").value();
  Work work;
  work.cancelled = [] { return true; };
  EXPECT_EQ(store_->base_disk(image, work).error().code, ErrorCode::kCancelled);
  EXPECT_FALSE(sys::exists(dir_ / "images/disks/tmp-"));
  EXPECT_TRUE(store_->base_disk(image, {}));
}

}  // namespace
}  // namespace skerry
