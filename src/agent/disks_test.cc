#include "agent/disks.h"

#include <gtest/gtest.h>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"

namespace skerry::agent {
namespace {

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
