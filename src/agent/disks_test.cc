#include "agent/disks.h"

#include <gtest/gtest.h>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"

namespace skerry::agent {
namespace {

std::string with_magic(std::size_t offset, std::string_view magic) {
  std::string bytes(kSuperblockBytes, '\0');
  bytes.replace(offset, magic.size(), magic);
  return bytes;
}

TEST(Filesystem, IsKnownByItsSuperblock) {
  EXPECT_EQ(filesystem_of(with_magic(1024, "\xe2\xe1\xf5\xe0")), "erofs");
  EXPECT_EQ(filesystem_of(with_magic(1080, "\x53\xef")), "ext4");
  EXPECT_EQ(filesystem_of(with_magic(0, "hsqs")), "squashfs");
  EXPECT_EQ(filesystem_of(with_magic(0, "XFSB")), "xfs");
  EXPECT_EQ(filesystem_of(with_magic(65600, "_BHRfS_M")), "btrfs");
  EXPECT_EQ(filesystem_of(std::string(kSuperblockBytes, '\0')), "");
  EXPECT_EQ(filesystem_of(""), "");
  EXPECT_EQ(filesystem_of(std::string(1025, '\xe2')), "");
}

TEST(ManifestDisk, GivesTheLineAndRefusesOthers) {
  const auto dir = TempDir::create("disks");
  ASSERT_TRUE(dir);
  const std::string path = *dir / "disk";
  ASSERT_TRUE(write_file_atomic(path, "skerry-manifest 1\nH4sIAAA\n" + std::string(500, '\0'), 0600));
  EXPECT_EQ(read_manifest_disk(path).value_or("?"), "H4sIAAA");
  ASSERT_TRUE(write_file_atomic(path, "skerry-manifest 1\nH4sIAAA", 0600));
  EXPECT_EQ(read_manifest_disk(path).error().code, ErrorCode::kCorrupt);
  ASSERT_TRUE(write_file_atomic(path, std::string(512, '\0'), 0600));
  EXPECT_EQ(read_manifest_disk(path).error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace skerry::agent
