#include "cli/setup.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"

namespace skerry::cli {
namespace {

std::string command_of(const SetupOptions& options) {
  const auto unit = systemd_unit(options);
  EXPECT_TRUE(unit) << (unit ? "" : unit.error().message());
  if (!unit) return {};
  const auto begin = unit->find("ExecStart=") + 10;
  return unit->substr(begin, unit->find('\n', begin) - begin);
}

TEST(SystemdUnit, EveryOptionIsOneWord) {
  SetupOptions options;
  options.program_dir = "/opt/my programs/50%";
  options.state_dir = "/data/a \"b\" $HOME \\";
  EXPECT_EQ(command_of(options), R"("/opt/my programs/50%%/skerryd" --state-dir "/data/a \"b\" $$HOME \\")");
}

TEST(SystemdUnit, PlainPathsStayPlain) {
  SetupOptions options;
  options.program_dir = "/usr/local/bin";
  EXPECT_EQ(command_of(options), "/usr/local/bin/skerryd");
}

TEST(SystemdUnit, ALineCannotBeEnded) {
  SetupOptions options;
  options.program_dir = "/usr/bin";
  options.group = "skerry\nExecStartPre=/bin/sh";
  const auto unit = systemd_unit(options);
  ASSERT_FALSE(unit);
  EXPECT_EQ(unit.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(unit.error().message().find("--group"), std::string::npos) << unit.error().message();
}

TEST(CheckOnlyRootWrites, NamesThePartThatOthersCanChange) {
  if (::geteuid() != 0) GTEST_SKIP() << "SKIP: needs root";
  const auto dir = TempDir::create("skerry-setup").value();
  const std::string bin = dir / "bin";
  const std::string program = bin + "/skerryd";
  ASSERT_TRUE(sys::mkdir(bin, 0755));
  ASSERT_TRUE(write_file_atomic(program, "#!/bin/sh\n", 0755));
  EXPECT_TRUE(check_only_root_writes(program));
  for (const std::string& weak : {bin, program}) {
    ASSERT_EQ(::chmod(weak.c_str(), 0777), 0);
    const auto checked = check_only_root_writes(program);
    ASSERT_FALSE(checked) << weak;
    EXPECT_EQ(checked.error().code, ErrorCode::kPermissionDenied);
    EXPECT_TRUE(checked.error().message().starts_with(weak + " ")) << checked.error().message();
    ASSERT_EQ(::chmod(weak.c_str(), 0755), 0);
    ASSERT_EQ(::chown(weak.c_str(), 1000, 0), 0);
    EXPECT_FALSE(check_only_root_writes(program)) << "their owner may";
    ASSERT_EQ(::chown(weak.c_str(), 0, 0), 0);
  }
  const std::string link = dir / "skerryd";
  ASSERT_EQ(::symlink(program.c_str(), link.c_str()), 0);
  ASSERT_EQ(::chmod(bin.c_str(), 0777), 0);
  EXPECT_FALSE(check_only_root_writes(link)) << "where the link leads";
}

}  // namespace
}  // namespace skerry::cli
