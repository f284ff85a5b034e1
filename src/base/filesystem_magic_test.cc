#include "base/filesystem_magic.h"

#include <gtest/gtest.h>

#include <string>

namespace skerry {
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

}  // namespace
}  // namespace skerry
