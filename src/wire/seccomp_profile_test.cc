#include "wire/seccomp_profile.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace skerry::oci {
namespace {

const SeccompTarget kTarget{{"CAP_CHOWN", "CAP_SYS_ADMIN"}, "amd64", 6, 1};

std::vector<std::string> allowed(std::string_view syscalls) {
  const auto json = cat(R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":)", syscalls, "}");
  const auto profile = parse_seccomp_profile(json, kTarget);
  EXPECT_TRUE(profile) << profile.error().message();
  std::vector<std::string> names;
  if (!profile) return names;
  for (const auto& rule : profile->syscalls) names.insert(names.end(), rule.names.begin(), rule.names.end());
  return names;
}
using Names = std::vector<std::string>;

TEST(SeccompProfile, ReadsTheFormOfTheSpecification) {
  const auto profile = parse_seccomp_profile(
      R"({"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,"architectures":["SCMP_ARCH_X86_64"],
          "syscalls":[{"names":["read","write"],"action":"SCMP_ACT_ALLOW"}]})",
      kTarget);
  ASSERT_TRUE(profile) << profile.error().message();
  EXPECT_EQ(profile->default_action, "SCMP_ACT_ERRNO");
  EXPECT_EQ(profile->default_errno_ret, 38U);
  EXPECT_EQ(profile->architectures, (Names{"SCMP_ARCH_X86_64"}));
  ASSERT_EQ(profile->syscalls.size(), 1U);
  EXPECT_EQ(profile->syscalls[0].names, (Names{"read", "write"}));
}

TEST(SeccompProfile, DecidesConditionalRules) {
  EXPECT_EQ(allowed(R"([{"names":["a"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SYS_ADMIN"]}},
                        {"names":["b"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_BPF"]}},
                        {"names":["c"],"action":"SCMP_ACT_ALLOW","excludes":{"caps":["CAP_SYS_ADMIN"]}},
                        {"names":["d"],"action":"SCMP_ACT_ALLOW","excludes":{"caps":["CAP_BPF"]}}])"),
            (Names{"a", "d"}));
  EXPECT_EQ(allowed(R"([{"names":["a"],"action":"SCMP_ACT_ALLOW","includes":{"arches":["amd64","x32"]}},
                        {"names":["b"],"action":"SCMP_ACT_ALLOW","includes":{"arches":["s390"]}},
                        {"names":["c"],"action":"SCMP_ACT_ALLOW","excludes":{"arches":["amd64"]}}])"),
            (Names{"a"}));
  EXPECT_EQ(allowed(R"([{"names":["a"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"4.8"}},
                        {"names":["b"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"6.2"}},
                        {"names":["c"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"6.1"}}])"),
            (Names{"a", "c"}));
}

TEST(SeccompProfile, TakesTheArchitecturesOfThisMachineFromTheMap) {
  const auto profile = parse_seccomp_profile(
      R"({"defaultAction":"SCMP_ACT_ERRNO","archMap":[
           {"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86","SCMP_ARCH_X32"]},
           {"architecture":"SCMP_ARCH_AARCH64","subArchitectures":["SCMP_ARCH_ARM"]}]})",
      kTarget);
  ASSERT_TRUE(profile) << profile.error().message();
  EXPECT_EQ(profile->architectures, (Names{"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"}));
}

TEST(SeccompProfile, NamesThePlaceOfAnError) {
  const auto step = [](std::string_view json) {
    const auto profile = parse_seccomp_profile(json, kTarget);
    return profile ? std::string() : profile.error().step;
  };
  EXPECT_NE(step("{}").find("/defaultAction"), std::string::npos);
  EXPECT_NE(step(R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"X"}]})").find("/syscalls/0"),
            std::string::npos);
  EXPECT_FALSE(step("[]").empty());
  EXPECT_FALSE(step("not json").empty());
}

TEST(SeccompProfile, KnowsThisMachine) {
  const auto target = this_seccomp_target({"CAP_CHOWN"});
  EXPECT_FALSE(target.architecture.empty());
  EXPECT_GE(target.kernel_major, 4U);
}

}  // namespace
}  // namespace skerry::oci
