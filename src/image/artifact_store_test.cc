#include "image/artifact_store.h"

#include <gtest/gtest.h>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "image/sha256.h"

namespace skerry {
namespace {

class ArtifactStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    source_ = dir_ / "disk";
    ASSERT_TRUE(write_file_atomic(source_, "the disk", 0644));
    artifact_ = {cat("file://", source_), sha256_of("the disk").text(), "raw"};
    store_ = ArtifactStore::open(dir_ / "artifacts").value();
  }
  TempDir dir_ = TempDir::create("artifacts-").value();
  std::string source_;
  Artifact artifact_;
  std::unique_ptr<ArtifactStore> store_;
};

TEST_F(ArtifactStoreTest, KeepsAVerifiedCopy) {
  const auto path = store_->get(artifact_, {});
  ASSERT_TRUE(path) << path.error().message();
  EXPECT_EQ(read_file(*path).value(), "the disk");
  // The source is no longer needed, and may become anything.
  ASSERT_TRUE(write_file_atomic(source_, "another", 0644));
  EXPECT_EQ(read_file(store_->get(artifact_, {}).value()).value(), "the disk");
}

TEST_F(ArtifactStoreTest, RefusesOtherBytesAndLeavesNothing) {
  ASSERT_TRUE(write_file_atomic(source_, "tampered", 0644));
  const auto path = store_->get(artifact_, {});
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(path.error().message().find(artifact_.checksum), std::string::npos);
  EXPECT_TRUE(sys::list_directory(dir_ / "artifacts").value().empty());
}

TEST_F(ArtifactStoreTest, RefusesAnotherFormat) {
  struct Case {
    std::string format;
    std::size_t offset;
    std::string magic;
  };
  const Case cases[] = {
      {"erofs", 1024, "\xe2\xe1\xf5\xe0"}, {"ext4", 1080, "\x53\xef"}, {"squashfs", 0, "hsqs"},   {"xfs", 0, "XFSB"},
      {"btrfs", 65600, "_BHRfS_M"},        {"cpio", 0, "070701"},      {"cpio.gz", 0, "\x1f\x8b"}};
  for (const auto& [format, offset, magic] : cases) {
    std::string bytes(offset, '\0');
    bytes += magic;
    ASSERT_TRUE(write_file_atomic(source_, bytes, 0644));
    Artifact artifact{artifact_.url, sha256_of(bytes).text(), format};
    EXPECT_TRUE(store_->get(artifact, {})) << format;
    artifact.format = format == "xfs" ? "erofs" : "xfs";
    const auto refused = store_->get(artifact, {});
    ASSERT_FALSE(refused) << format;
    EXPECT_EQ(refused.error().code, ErrorCode::kCorrupt);
    EXPECT_NE(refused.error().message().find(cat("it is no ", artifact.format)), std::string::npos);
  }
  artifact_.format = "qcow2";
  ASSERT_TRUE(write_file_atomic(source_, "the disk", 0644));
  EXPECT_EQ(store_->get(artifact_, {}).error().code, ErrorCode::kUnsupported);
}

TEST_F(ArtifactStoreTest, ACopyThatWasChangedIsFetchedAgainOrRefused) {
  const auto path = store_->get(artifact_, {}).value();
  ASSERT_TRUE(write_file_atomic(path, "evil", 0400));
  EXPECT_EQ(read_file(store_->get(artifact_, {}).value()).value(), "the disk");
  ASSERT_TRUE(write_file_atomic(path, "evil", 0400));
  ASSERT_TRUE(sys::unlink(source_));
  EXPECT_EQ(store_->get(artifact_, {}).error().code, ErrorCode::kNotFound);
}

TEST_F(ArtifactStoreTest, TooLargeOnesAreRefusedAndLeaveNothing) {
  const auto small = ArtifactStore::open(dir_ / "small", 7).value();
  const auto path = small->get(artifact_, {});
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().code, ErrorCode::kResourceExhausted);
  EXPECT_NE(path.error().message().find("larger than 7 bytes"), std::string::npos) << path.error().message();
  EXPECT_TRUE(sys::list_directory(dir_ / "small").value().empty());
  EXPECT_TRUE(ArtifactStore::open(dir_ / "fitting", 8).value()->get(artifact_, {}));
}

TEST_F(ArtifactStoreTest, OnlyFilesAreCopied) {
  artifact_.url = cat("file://", dir_.path());
  EXPECT_EQ(store_->get(artifact_, {}).error().code, ErrorCode::kInvalidArgument);
  artifact_.url = "file:///dev/zero";
  EXPECT_EQ(store_->get(artifact_, {}).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(ArtifactStoreTest, DropsWhatNobodyWants) {
  const auto path = store_->get(artifact_, {}).value();
  ASSERT_TRUE(store_->keep_only({Digest::parse(artifact_.checksum).value()}));
  EXPECT_TRUE(sys::exists(path));
  EXPECT_GT(store_->keep_only({}).value(), 0U);
  EXPECT_FALSE(sys::exists(path));
}

}  // namespace
}  // namespace skerry
