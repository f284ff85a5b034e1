#include "drivers/container/sealed_program.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"

namespace skerry {
namespace {

ino_t inode_of(const Fd& file) { return sys::fstat(file.get())->st_ino; }

TEST(SealedPrograms, ACopyForEachContainerAndNoMore) {
  const TempDir dir = TempDir::create("sealed").value();
  ASSERT_TRUE(write_file_atomic(dir / "program", "#!/bin/sh\n", 0755));
  SealedPrograms programs(dir / "program");
  const Fd first = programs.open("a").value();
  const Fd again = programs.open("a").value();
  const Fd other = programs.open("b").value();
  EXPECT_EQ(inode_of(first), inode_of(again)) << "what each call would pin";
  EXPECT_NE(inode_of(first), inode_of(other)) << "no file is shared by two containers";
  EXPECT_LT(::write(first.get(), "x", 1), 0);
  programs.forget("a");
  EXPECT_NE(inode_of(programs.open("a").value()), inode_of(first));
  EXPECT_EQ(SealedPrograms("").open("a").error().code, ErrorCode::kUnsupported);
  EXPECT_FALSE(SealedPrograms(dir / "none").open("a"));
}

}  // namespace
}  // namespace skerry
