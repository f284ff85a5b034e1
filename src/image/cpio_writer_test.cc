#include "image/cpio_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/file_io.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"

namespace skerry {
namespace {

CpioWriter sample() {
  CpioWriter writer;
  EXPECT_TRUE(writer.add_file("/sbin/init", 0755, "#!/bin/sh\n"));
  EXPECT_TRUE(writer.add_symlink("bin", "usr/bin"));
  EXPECT_TRUE(writer.add_device("dev/console", S_IFCHR | 0600, 5, 1));
  EXPECT_TRUE(writer.add_directory("tmp", 01777));
  EXPECT_TRUE(writer.add_file("sbin-notes", 0644, "x"));
  return writer;
}

TEST(CpioWriter, ReadableByAPeer) {
  const auto dir = TempDir::create("cpio").value();
  const Fd file = sys::open(dir / "a.cpio", O_RDWR | O_CREAT, 0600).value();
  ASSERT_TRUE(sample().write_to(file.get()));
  SpawnSpec spec;
  spec.argv = {"cpio", "-tv", "--quiet", "-F", dir / "a.cpio"};
  const auto listing = run_command(spec, std::chrono::seconds(20)).value();
  ASSERT_TRUE(listing.status.success()) << listing.err;
  EXPECT_NE(listing.out.find("sbin/init"), std::string::npos);
  EXPECT_NE(listing.out.find("bin -> usr/bin"), std::string::npos);
  EXPECT_NE(listing.out.find("5,   1"), std::string::npos) << listing.out;
  EXPECT_NE(listing.out.find("drwxrwxrwt"), std::string::npos);
  // The directory and its content stand together, before the name that only starts alike.
  EXPECT_LT(listing.out.find("sbin/init"), listing.out.find("sbin-notes"));
}

TEST(CpioWriter, BytesDependOnlyOnContent) {
  CpioWriter other;
  EXPECT_TRUE(other.add_file("sbin-notes", 0644, "x"));
  EXPECT_TRUE(other.add_directory("tmp", 01777));
  EXPECT_TRUE(other.add_device("dev/console", S_IFCHR | 0600, 5, 1));
  EXPECT_TRUE(other.add_symlink("bin", "usr/bin"));
  EXPECT_TRUE(other.add_file("/sbin/init", 0755, "#!/bin/sh\n"));
  const auto bytes = other.to_string().value();
  EXPECT_EQ(bytes, sample().to_string().value());
  EXPECT_EQ(bytes.size() % 512, 0U);
}

TEST(CpioWriter, FileByDescriptorEqualsFileByContent) {
  const auto dir = TempDir::create("cpio").value();
  const std::string content(300'001, 'q');
  ASSERT_TRUE(write_file_atomic(dir / "f", content, 0600));
  CpioWriter by_fd;
  ASSERT_TRUE(by_fd.add_file("f", 0600, sys::open(dir / "f", O_RDONLY).value().get()));
  CpioWriter by_content;
  ASSERT_TRUE(by_content.add_file("f", 0600, content));
  EXPECT_EQ(by_fd.to_string().value(), by_content.to_string().value());
}

TEST(CpioWriter, RefusesBadPathsAndDoubles) {
  CpioWriter writer;
  for (const auto* path : {"", "/", "a/../b", "./a", "a//b", "a/"}) {
    EXPECT_EQ(writer.add_file(path, 0644, "").error().code, ErrorCode::kInvalidArgument) << path;
  }
  ASSERT_TRUE(writer.add_file("a", 0644, ""));
  EXPECT_EQ(writer.add_file("a", 0644, "").error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(writer.add_file("a/b", 0644, "").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(writer.add_device("d", S_IFREG | 0600, 1, 1).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace skerry
