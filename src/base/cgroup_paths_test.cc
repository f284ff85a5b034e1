#include "base/cgroup_paths.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file_io.h"
#include "base/temp_dir.h"
#include "base/text.h"

namespace skerry {
namespace {

TEST(CgroupDirectories, OnAHostWithV2Only) {
  const auto found = cgroup_directories("0::/system.slice/x.scope\n",
                                        "25 19 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n");
  EXPECT_EQ(found, (CgroupDirectories{{"", "/sys/fs/cgroup/system.slice/x.scope"}}));
  EXPECT_EQ(find_controller(found, "memory").path, "/sys/fs/cgroup/system.slice/x.scope");
  EXPECT_TRUE(find_controller(found, "memory").unified);
}

TEST(CgroupDirectories, OnAHybridHost) {
  const auto found = cgroup_directories("9:name=systemd:/\n3:cpu,cpuacct:/skerry/a\n2:memory:/skerry/a:b\n0::/\n",
                                        "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
                                        "32 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
                                        "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
                                        "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
                                        "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  EXPECT_EQ(found, (CgroupDirectories{{"", "/sys/fs/cgroup/unified"},
                                      {"cpu", "/sys/fs/cgroup/cpu,cpuacct/skerry/a"},
                                      {"cpuacct", "/sys/fs/cgroup/cpu,cpuacct/skerry/a"},
                                      {"memory", "/sys/fs/cgroup/memory/skerry/a:b"},
                                      {"name=systemd", "/sys/fs/cgroup/systemd"}}));
  EXPECT_FALSE(find_controller(found, "memory").unified);
  EXPECT_TRUE(find_controller(found, "pids").unified);
}

// Read to its end, the table would keep us waiting: its writer never closes.
TEST(CgroupDirectories, TheMountTableIsReadOnlyAsFarAsNeeded) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Fd reader(ends[0]);
  const Fd writer(ends[1]);
  const std::string part = "30 25 0:29 /mine /mnt/cpu rw - cgroup cgroup rw,cpu,cpuacct\n";
  const std::string whole = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n";
  const std::string unified = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
  const std::string text =
      cat("20 1 8:1 / / rw - ext4 /dev/sda rw\n", part, whole, unified, "50 20 0:40 / /x rw - overlay over");
  ASSERT_EQ(::write(writer.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  const auto mounts = read_cgroup_mounts("3:cpu,cpuacct:/a\n0::/\n", cat("/proc/self/fd/", reader.get()));
  ASSERT_TRUE(mounts) << mounts.error().message();
  EXPECT_EQ(*mounts, part + whole + unified);
}

TEST(CgroupDirectories, TheMountTableIsReadToItsEndForWhatIsNotMounted) {
  const TempDir dir = TempDir::create("mounts").value();
  const std::string unified = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
  const std::string text = cat(std::string(5000, 'x'), "\n", unified);  // a line longer than what is read at once
  ASSERT_TRUE(write_file_atomic(dir / "mountinfo", text, 0600));
  EXPECT_EQ(read_cgroup_mounts("7:name=gone:/\n0::/\n", dir / "mountinfo").value(), unified);
  EXPECT_FALSE(read_cgroup_mounts("0::/\n", dir / "missing"));
}

TEST(CgroupDirectories, ThroughAMountOfOnlyAPart) {
  const auto mount = "32 31 0:30 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
  EXPECT_EQ(cgroup_directories("0::/docker/1/x\n", mount), (CgroupDirectories{{"", "/sys/fs/cgroup/x"}}));
  EXPECT_EQ(cgroup_directories("0::/docker/1\n", mount), (CgroupDirectories{{"", "/sys/fs/cgroup"}}));
  EXPECT_EQ(cgroup_directories("0::/docker/12\n", mount), CgroupDirectories{});
  EXPECT_EQ(cgroup_directories("0::/other\n", mount), CgroupDirectories{});
}

TEST(CgroupDirectories, WithEscapedMountPoints) {
  EXPECT_EQ(cgroup_directories("0::/\n", "32 31 0:30 / /a\\040b\\134c rw - cgroup2 cgroup2 rw\n"),
            (CgroupDirectories{{"", "/a b\\c"}}));
}

TEST(CgroupDirectories, GarbageGivesNothing) {
  for (const auto* text : {"", "\n\n", "::", "a:b", "0::/\n", "1:x:/\n"}) {
    EXPECT_TRUE(cgroup_directories(text, "garbage\n - \n1 2 3 - cgroup2\n").empty()) << text;
  }
}

TEST(CgroupDirectories, OfThisProcess) {
  const auto found = cgroup_directories_of(::getpid());
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(cgroup_directories_of(0x7FFFFFF).error().code, ErrorCode::kNotFound);
}

TEST(CgroupDirectories, PutsAnotherPathIntoEveryHierarchy) {
  EXPECT_EQ(with_cgroup_path("4:memory:/a/b\n3:cpu,cpuacct:/\n1:name=systemd:/x:y\n0::/\n", "/skerry"),
            "4:memory:/skerry\n3:cpu,cpuacct:/skerry\n1:name=systemd:/skerry\n0::/skerry\n");
  EXPECT_EQ(with_cgroup_path("nonsense\n\n", "/skerry"), "");
}

TEST(CgroupDirectories, OfAGroupThatIsNotThereYet) {
  const auto hierarchies = CgroupHierarchies::read();
  const auto at_root = hierarchies.directories_of("/");
  const auto below = hierarchies.directories_of("/none/such");
  ASSERT_EQ(at_root.size(), below.size());
  for (const auto& [controller, path] : at_root) EXPECT_EQ(below.at(controller), path + "/none/such");
}

TEST(OomCountFile, IsOfTheHierarchyThatHasMemory) {
  EXPECT_EQ(oom_count_file({{"memory", "/m/x"}, {"", "/u/x"}}), "/m/x/memory.oom_control");
  EXPECT_EQ(oom_count_file({{"", "/u/x"}}), "/u/x/memory.events");
  EXPECT_EQ(oom_count_file({}), "");
}

}  // namespace
}  // namespace skerry
