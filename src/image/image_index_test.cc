#include "image/image_index.h"

#include <gtest/gtest.h>

#include "base/file_io.h"
#include "base/temp_dir.h"

namespace skerry {
namespace {

IndexEntry entry(const std::string& name, char digit) {
  return {name, "application/vnd.oci.image.manifest.v1+json", Digest::from_hex(std::string(64, digit)).value(), 7};
}

std::vector<std::string> names(const ImageIndex& index) {
  std::vector<std::string> out;
  for (const auto& item : index.entries()) out.push_back(item.name + "=" + item.manifest.hex().substr(0, 1));
  return out;
}

using Names = std::vector<std::string>;

TEST(ImageIndex, SurvivesReopening) {
  const auto dir = TempDir::create("index").value();
  auto index = ImageIndex::open(dir.path()).value();
  ASSERT_TRUE(index.set(entry("r/a:1", 'a')));
  ASSERT_TRUE(index.set(entry("r/b:1", 'b')));
  EXPECT_EQ(names(ImageIndex::open(dir.path()).value()), (Names{"r/a:1=a", "r/b:1=b"}));
  EXPECT_TRUE(read_file(dir / "oci-layout"));
}

TEST(ImageIndex, AnImageThatLosesItsNameStaysNameless) {
  const auto dir = TempDir::create("index").value();
  auto index = ImageIndex::open(dir.path()).value();
  ASSERT_TRUE(index.set(entry("r/a:1", 'a')));
  ASSERT_TRUE(index.set(entry("r/a:1", 'b')));
  EXPECT_EQ(names(index), (Names{"r/a:1=b", "=a"}));
  // Named again: the nameless entry goes. With a second name it would not have become nameless.
  ASSERT_TRUE(index.set(entry("r/old:1", 'a')));
  EXPECT_EQ(names(index), (Names{"r/a:1=b", "r/old:1=a"}));
  ASSERT_TRUE(index.set(entry("r/too:1", 'b')));
  ASSERT_TRUE(index.set(entry("r/too:1", 'a')));
  EXPECT_EQ(names(index), (Names{"r/a:1=b", "r/old:1=a", "r/too:1=a"}));
}

TEST(ImageIndex, FindsByDigestPrefix) {
  const auto dir = TempDir::create("index").value();
  auto index = ImageIndex::open(dir.path()).value();
  ASSERT_TRUE(index.set(entry("r/a:1", 'a')));
  auto near = entry("r/b:1", 'a');
  near.manifest = Digest::from_hex(std::string(63, 'a') + "b").value();
  ASSERT_TRUE(index.set(near));
  EXPECT_EQ(index.by_digest_prefix(std::string(20, 'a')).error().code, ErrorCode::kConflict);
  EXPECT_EQ(index.by_digest_prefix(std::string(64, 'a')).value()->name, "r/a:1");
  EXPECT_EQ(index.by_digest_prefix("aaaaa").value(), nullptr);
  EXPECT_EQ(index.by_digest_prefix(std::string(20, 'c')).value(), nullptr);
}

TEST(ImageIndex, DamageIsReported) {
  const auto dir = TempDir::create("index").value();
  ASSERT_TRUE(write_file_atomic(dir / "index.json", "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"x\"}]}", 0600));
  const auto index = ImageIndex::open(dir.path());
  ASSERT_FALSE(index);
  EXPECT_EQ(index.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(index.error().step.find("index.json"), std::string::npos);
}

}  // namespace
}  // namespace skerry
