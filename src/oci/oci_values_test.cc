// The parts of skerry-oci that are pure: grammars, tables and programs made from values.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <array>

#include "oci/capabilities.h"
#include "oci/cgroup.h"
#include "oci/cgroup_layout.h"
#include "oci/cli_args.h"
#include "oci/container_id.h"
#include "oci/device_filter.h"
#include "oci/device_rules.h"
#include "oci/id_maps.h"
#include "oci/mount_options.h"
#include "oci/process_attributes.h"
#include "oci/safe_path.h"
#include "oci/signal_names.h"

namespace skerry::oci {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ContainerId, HasAGrammar) {
  for (const char* good : {"a", "A_b+c-d.e", "0", "-x", "+"}) EXPECT_TRUE(check_container_id(good)) << good;
  for (const char* bad : {"", ".", "..", ".a", "a/b", "../a", "a b", "a\n", "ü", "a:b"}) {
    EXPECT_FALSE(check_container_id(bad)) << bad;
  }
  EXPECT_TRUE(check_container_id(std::string(255, 'x')));
  EXPECT_FALSE(check_container_id(std::string(256, 'x')));
}

TEST(Signals, AreNamesOrNumbers) {
  for (const auto& [text, number] : std::vector<std::pair<std::string, int>>{{"9", 9},
                                                                             {"KILL", 9},
                                                                             {"SIGKILL", 9},
                                                                             {"sigTerm", 15},
                                                                             {"RTMIN", 34},
                                                                             {"RTMIN+3", 37},
                                                                             {"SIGRTMAX-1", 63},
                                                                             {"0", 0}}) {
    const auto parsed = parse_signal(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(*parsed, number);
  }
  for (const char* bad : {"", "SIG", "X", "65", "-1", "9 ", "RTMIN-1", "RTMAX+1", "RTMIN+99", "1e1"}) {
    EXPECT_FALSE(parse_signal(bad)) << bad;
  }
}

constexpr std::string_view kHybridMounts =
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:1 - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "36 31 0:33 /outer /sys/fs/cgroup/pi\\040ds rw - cgroup cgroup rw,pids\n"
    "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

TEST(CgroupLayoutText, EveryControllerIsResolvedByItself) {
  const auto layout = parse_cgroup_layout(
      kHybridMounts, "9:name=systemd:/\n4:memory:/api/x\n3:cpu,cpuacct:/\n2:pids:/outer/inner\n1:freezer:/\n0::/u\n");
  ASSERT_TRUE(layout.unified);
  EXPECT_EQ(layout.unified->mount_point, "/sys/fs/cgroup/unified");
  EXPECT_EQ(layout.unified->own_path, "/u");
  EXPECT_FALSE(layout.is_pure_v2());
  ASSERT_NE(layout.find_v1("memory"), nullptr);
  EXPECT_EQ(layout.find_v1("memory")->own_path, "/api/x");
  EXPECT_EQ(layout.find_v1("cpuacct"), layout.find_v1("cpu"));
  EXPECT_EQ(layout.find_v1("pids")->mount_point, "/sys/fs/cgroup/pi ds");
  EXPECT_EQ(layout.find_v1("pids")->own_path, "/inner");
  EXPECT_NE(layout.find_v1("name=systemd"), nullptr);
  EXPECT_EQ(layout.find_v1("freezer"), nullptr);  // has no mount
}

TEST(CgroupLayoutText, NonsenseGivesAnEmptyLayout) {
  const auto layout = parse_cgroup_layout("garbage\n - \n1 2 - cgroup", "::\nx\n");
  EXPECT_FALSE(layout.unified);
  EXPECT_TRUE(layout.v1.empty());
}

TEST(CgroupPlan, PathsFollowCgroupsPath) {
  const auto layout = parse_cgroup_layout(kHybridMounts, "4:memory:/own\n0::/own2\n");
  const auto absolute = plan_cgroup(layout, CgroupManager::kCgroupfs, "/a//b/./c/", "id");
  ASSERT_TRUE(absolute);
  EXPECT_EQ(find_directory(*absolute, "memory")->path, "/sys/fs/cgroup/memory/a/b/c");
  const auto relative = plan_cgroup(layout, CgroupManager::kCgroupfs, "x", "id");
  EXPECT_EQ(find_directory(*relative, "memory")->path, "/sys/fs/cgroup/memory/own/x");
  EXPECT_EQ(find_directory(*relative, "nothing")->path, "/sys/fs/cgroup/unified/own2/x");
  const auto standard = plan_cgroup(layout, CgroupManager::kCgroupfs, "", "id");
  EXPECT_EQ(find_directory(*standard, "memory")->path, "/sys/fs/cgroup/memory/skerry/id");
  EXPECT_FALSE(plan_cgroup(layout, CgroupManager::kCgroupfs, "/a/../b", "id"));
  EXPECT_FALSE(plan_cgroup(layout, CgroupManager::kCgroupfs, "/", "id"));
  EXPECT_TRUE(plan_cgroup(layout, CgroupManager::kDisabled, "/a", "id")->directories.empty());
}

TEST(MountOptionWords, AreSorted) {
  const auto options = parse_mount_options({"rbind", "ro", "rw", "nosuid", "rnoexec", "rslave", "noatime", "size=64k",
                                            "mode=755", "flag", "tmpcopyup", "defaults"});
  EXPECT_TRUE(options.bind);
  EXPECT_TRUE(options.recursive_bind);
  EXPECT_TRUE(options.copy_up);
  EXPECT_EQ(options.set, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOATIME);
  EXPECT_EQ(options.clear, MOUNT_ATTR_RDONLY | MOUNT_ATTR__ATIME);
  EXPECT_EQ(options.recursive_set, static_cast<std::uint64_t>(MOUNT_ATTR_NOEXEC));
  EXPECT_EQ(options.propagation, static_cast<std::uint64_t>(MS_SLAVE));
  EXPECT_TRUE(options.recursive_propagation);
  ASSERT_EQ(options.fs_options.size(), 3U);
  EXPECT_EQ(options.fs_options[0].key, "size");
  EXPECT_EQ(options.fs_options[0].value, "64k");
  EXPECT_FALSE(options.fs_options[2].value);
}

TEST(CapabilityPlans, KeepWhatCanBeGrantedAndWarnOfTheRest) {
  Capabilities wanted;
  wanted.bounding = {"CAP_CHOWN", "CAP_KILL", "CAP_BOGUS"};
  wanted.permitted = {"CAP_CHOWN"};
  wanted.effective = {"CAP_CHOWN", "CAP_KILL"};
  wanted.ambient = {"CAP_CHOWN"};
  const auto plan = plan_capabilities(wanted, capability_bit(0) | capability_bit(5));
  EXPECT_EQ(plan.bounding, capability_bit(0) | capability_bit(5));
  EXPECT_EQ(plan.effective, capability_bit(0));  // never more than permitted
  EXPECT_EQ(plan.ambient, 0U);                   // needs inheritable
  EXPECT_EQ(plan.warnings.size(), 2U);
  EXPECT_EQ(capability_number("CAP_CHECKPOINT_RESTORE"), 40);
  EXPECT_EQ(capability_number("CAP_SYS_ADMIN"), 21);
}

TEST(IdMaps, TranslateToTheHost) {
  const std::vector<IdMapping> map = {{0, 1000, 1}, {1, 100000, 10}};
  EXPECT_EQ(host_id(map, 0), 1000U);
  EXPECT_EQ(host_id(map, 10), 100009U);
  EXPECT_EQ(host_id(map, 11), std::nullopt);
  EXPECT_EQ(host_id({}, 5), 5U);
  EXPECT_EQ(id_map_text(map), "0 1000 1\n1 100000 10\n");
}

TEST(DeviceRules, AreWrittenInV1Notation) {
  EXPECT_EQ(device_rule_line({false, "", std::nullopt, std::nullopt, ""}), "a *:* rwm");
  EXPECT_EQ(device_rule_line({true, "c", 1, 3, "rw"}), "c 1:3 rw");
}

// A small interpreter for what compile_device_filter writes: the program's answer for one access.
bool permits(const std::vector<bpf_insn>& program, unsigned type, unsigned access, unsigned major, unsigned minor) {
  std::uint64_t reg[11] = {};
  const std::uint32_t context[3] = {(access << 16U) | type, major, minor};
  for (std::size_t pc = 0; pc < program.size(); ++pc) {
    const auto& op = program[pc];
    const auto imm = static_cast<std::uint32_t>(op.imm);
    switch (op.code) {
      case BPF_LDX | BPF_MEM | BPF_W: reg[op.dst_reg] = context[op.off / 4]; break;
      case BPF_ALU | BPF_MOV | BPF_X: reg[op.dst_reg] = static_cast<std::uint32_t>(reg[op.src_reg]); break;
      case BPF_ALU | BPF_AND | BPF_K: reg[op.dst_reg] &= imm; break;
      case BPF_ALU | BPF_RSH | BPF_K: reg[op.dst_reg] = static_cast<std::uint32_t>(reg[op.dst_reg]) >> imm; break;
      case BPF_ALU64 | BPF_MOV | BPF_K: reg[op.dst_reg] = imm; break;
      case BPF_JMP | BPF_JNE | BPF_K: pc += reg[op.dst_reg] != imm ? static_cast<std::size_t>(op.off) : 0; break;
      case BPF_JMP | BPF_JEQ | BPF_K: pc += reg[op.dst_reg] == imm ? static_cast<std::size_t>(op.off) : 0; break;
      case BPF_JMP | BPF_EXIT: return reg[0] == 1;
      default: ADD_FAILURE() << "instruction " << int{op.code}; return false;
    }
  }
  ADD_FAILURE() << "the program has no end";
  return false;
}

TEST(DeviceFilter, TheLastMatchingRuleDecides) {
  constexpr unsigned kRead = BPF_DEVCG_ACC_READ;
  constexpr unsigned kWrite = BPF_DEVCG_ACC_WRITE;
  constexpr unsigned kMknod = BPF_DEVCG_ACC_MKNOD;
  constexpr unsigned kChar = BPF_DEVCG_DEV_CHAR;
  constexpr unsigned kBlock = BPF_DEVCG_DEV_BLOCK;
  const auto program = compile_device_filter(
      {{false, "a", {}, {}, "rwm"}, {true, "b", 8, {}, "rw"}, {false, "b", 8, 1, "w"}, {true, "c", 10, 229, "r"}});
  EXPECT_TRUE(permits(program, kBlock, kRead | kWrite, 8, 0));
  EXPECT_FALSE(permits(program, kBlock, kWrite, 8, 1));
  EXPECT_FALSE(permits(program, kBlock, kRead | kWrite, 8, 1));
  EXPECT_TRUE(permits(program, kBlock, kRead, 8, 1));
  EXPECT_FALSE(permits(program, kBlock, kRead, 9, 0));
  EXPECT_TRUE(permits(program, kChar, kRead, 10, 229));
  EXPECT_FALSE(permits(program, kChar, kRead | kWrite, 10, 229));
  EXPECT_TRUE(permits(program, kChar, kRead | kWrite, 1, 3));  // null
  EXPECT_FALSE(permits(program, kChar, kRead, 1, 11));         // kmsg
  EXPECT_TRUE(permits(program, kChar, kMknod, 1, 11));
}

TEST(NumberLists, AreRangesBelowALimit) {
  EXPECT_THAT(*parse_number_list("0-2,7", 8), ElementsAre(0, 1, 2, 7));
  for (const char* bad : {"", "8", "2-1", "a", "1,,2", "0-", "-1", "0-99999999"})
    EXPECT_FALSE(parse_number_list(bad, 8)) << bad;
}

TEST(Paths, AreCleanedAsText) {
  EXPECT_EQ(clean_absolute("/a//b/./c/../d/"), "/a/b/d");
  EXPECT_EQ(clean_absolute("../../x"), "/x");
  EXPECT_EQ(clean_absolute(""), "/");
}

constexpr std::array kOptions = {Option{"file", 'f', Option::Kind::kValue, ""},
                                 Option{"all", 'a', Option::Kind::kFlag, ""}};

TEST(CommandLine, IsReadStrictly) {
  const std::vector<std::string> words = {"--file=x", "-a", "-f", "y", "id", "--all", "-z"};
  const auto arguments = parse_arguments(kOptions, words);
  ASSERT_TRUE(arguments);
  EXPECT_THAT(arguments->values("file"), ElementsAre("x", "y"));
  EXPECT_TRUE(arguments->flag("all"));
  EXPECT_THAT(arguments->positional, ElementsAre("id", "--all", "-z"));
  for (const auto& bad :
       std::vector<std::vector<std::string>>{{"--bogus"}, {"-z"}, {"--file"}, {"--all=maybe"}, {"-ax"}}) {
    EXPECT_FALSE(parse_arguments(kOptions, bad)) << bad.front();
  }
  EXPECT_FALSE(parse_arguments(kOptions, std::vector<std::string>{"--all=false"})->flag("all"));
  EXPECT_THAT(parse_arguments(kOptions, std::vector<std::string>{"--", "-a"})->positional, ElementsAre("-a"));
}

}  // namespace
}  // namespace skerry::oci
