#include "base/sparse_copy.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "base/sys_at.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"

namespace skerry {
namespace {

TEST(SparseCopy, KeepsContentAndHoles) {
  const auto dir = TempDir::create("sparse-").value();
  const Fd from = sys::open(dir / "from", O_RDWR | O_CREAT, 0600).value();
  const Fd to = sys::open(dir / "to", O_RDWR | O_CREAT, 0600).value();
  ASSERT_TRUE(sys::ftruncate(from.get(), 64U << 20U));
  ASSERT_TRUE(sys::pwrite_all(from.get(), "middle", 20U << 20U));
  ASSERT_TRUE(copy_sparse(from.get(), to.get()));
  const auto info = sys::fstat(to.get()).value();
  EXPECT_EQ(info.st_size, 64 << 20);
  EXPECT_LT(info.st_blocks, 1000);
  char found[6];
  ASSERT_EQ(::pread(to.get(), found, sizeof found, 20 << 20), 6);
  EXPECT_EQ(std::string_view(found, sizeof found), "middle");
}

TEST(SparseCopy, OfNothingIsNothing) {
  const auto dir = TempDir::create("sparse-").value();
  const Fd from = sys::open(dir / "from", O_RDWR | O_CREAT, 0600).value();
  const Fd to = sys::open(dir / "to", O_RDWR | O_CREAT, 0600).value();
  ASSERT_TRUE(copy_sparse(from.get(), to.get()));
  EXPECT_EQ(sys::fstat(to.get()).value().st_size, 0);
}

}  // namespace
}  // namespace skerry
