#include "base/mount_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

namespace skerry {
namespace {

TEST(MountTable, LinesAreReadAndOthersLeftOut) {
  const auto table = parse_mount_table(
      "31 23 0:28 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs rw,size=4k\n"
      "not a line\n"
      "40 31 254:1 /a\\040b /mnt/with\\040space rw - ext4 /dev/vda rw\n");
  ASSERT_EQ(table.size(), 2U);
  EXPECT_EQ(table[0].id, 31);
  EXPECT_EQ(table[0].options, "ro,nosuid");
  EXPECT_EQ(table[0].type, "tmpfs");
  EXPECT_EQ(table[1].root, "/a b");
  EXPECT_EQ(table[1].mount_point, "/mnt/with space");
}

TEST(MountTable, OfThisProcessHasARoot) {
  const auto table = read_mount_table(::getpid());
  ASSERT_TRUE(table);
  EXPECT_TRUE(std::ranges::any_of(*table, [](const auto& entry) { return entry.mount_point == "/"; }));
}

TEST(MountTable, ABackslashThatIsNoOctalStays) {
  EXPECT_EQ(unescape_mount_text("a\\134b"), "a\\b");
  EXPECT_EQ(unescape_mount_text("a\\9zz"), "a\\9zz");
  EXPECT_EQ(unescape_mount_text("end\\04"), "end\\04");
}

}  // namespace
}  // namespace skerry
