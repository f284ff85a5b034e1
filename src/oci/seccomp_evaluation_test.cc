#include "oci/seccomp_evaluation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include "base/temp_dir.h"
#include "oci/seccomp_cache.h"
#include "oci/seccomp_filter.h"
#include "wire/oci_spec_defaults.h"

namespace skerry::oci {
namespace {

std::vector<sock_filter> compile(const std::string& default_action, std::vector<SeccompRule> rules) {
  Seccomp seccomp;
  seccomp.default_action = default_action;
  seccomp.syscalls = std::move(rules);
  auto filter = seccomp_filter(seccomp, "");
  EXPECT_TRUE(filter) << filter.error().message();
  return filter ? filter->program : std::vector<sock_filter>{};
}

SeccompRule rule(std::vector<std::string> names, const std::string& action) {
  SeccompRule out;
  out.names = std::move(names);
  out.action = action;
  return out;
}

TEST(SeccompEvaluation, SaysWhatTheFilterSays) {
  const auto program = compile("SCMP_ACT_ERRNO", {rule({"read", "write", "getpid"}, "SCMP_ACT_ALLOW"),
                                                  rule({"setsid"}, "SCMP_ACT_LOG"), rule({"mount"}, "SCMP_ACT_KILL")});
  EXPECT_TRUE(seccomp_allows(program, {SYS_read, {3}}));
  EXPECT_TRUE(seccomp_allows(program, {SYS_getpid, {}}));
  EXPECT_TRUE(seccomp_allows(program, {SYS_setsid, {}}));
  EXPECT_FALSE(seccomp_allows(program, {SYS_mount, {}}));
  EXPECT_FALSE(seccomp_allows(program, {SYS_clone, {}}));
}

TEST(SeccompEvaluation, LooksAtArguments) {
  SeccompRule masked = rule({"clone"}, "SCMP_ACT_ALLOW");
  masked.args.push_back({0, 0x7E020000, 0, "SCMP_CMP_MASKED_EQ"});
  const auto program = compile("SCMP_ACT_ERRNO", {masked});
  EXPECT_TRUE(seccomp_allows(program, {SYS_clone, {0x8000 | 17}}));
  EXPECT_FALSE(seccomp_allows(program, {SYS_clone, {0x10000000 | 17}}));
}

// The kernel takes the family as an int: what stands in the upper half of the register must not matter.
TEST(DefaultSeccomp, NoWayToTheRefusedSocketFamilies) {
  const auto filter = seccomp_filter(default_seccomp(default_capabilities()), "");
  ASSERT_TRUE(filter) << filter.error().message();
  for (const std::uint64_t upper : {0ULL, 1ULL << 32U, 0xFFFFFFFFULL << 32U}) {
    for (const std::uint64_t family : {38U, 40U, 46U, 47U, 64U, 0xFFFFFFFFU}) {
      EXPECT_FALSE(seccomp_allows(filter->program, {SYS_socket, {upper | family, 1}})) << upper << " " << family;
    }
    for (std::uint64_t family = 0; family < 46; ++family) {
      if (family == 38 || family == 40) continue;
      EXPECT_TRUE(seccomp_allows(filter->program, {SYS_socket, {upper | family, 1}})) << upper << " " << family;
    }
    EXPECT_FALSE(seccomp_allows(filter->program, {SYS_clone, {upper | 0x10000000 | 17}}));
    EXPECT_FALSE(seccomp_allows(filter->program, {SYS_personality, {upper | 0x40000}}));
  }
  EXPECT_TRUE(seccomp_allows(filter->program, {SYS_clone, {17}}));
  EXPECT_TRUE(seccomp_allows(filter->program, {SYS_personality, {0xFFFFFFFF}}));
#if defined(__x86_64__)
  constexpr long kSocketcall = 102;
  constexpr long kSocket = 359;
  for (std::uint64_t which = 0; which < 24; ++which) {
    EXPECT_FALSE(seccomp_allows(filter->program, {kSocketcall, {which, 0x1000}, AUDIT_ARCH_I386})) << which;
  }
  EXPECT_FALSE(seccomp_allows(filter->program, {kSocket, {40}, AUDIT_ARCH_I386}));
  EXPECT_TRUE(seccomp_allows(filter->program, {kSocket, {2}, AUDIT_ARCH_I386}));
#endif
}

TEST(SeccompFilter, RefusesWhatCannotBeAName) {
  for (const char* name : {"", "mkdir\tmkdirat", "read write", "READ", "a-b", "a\nb", "1:a"}) {
    Seccomp seccomp;
    seccomp.default_action = "SCMP_ACT_ALLOW";
    seccomp.syscalls = {rule({"read", name}, "SCMP_ACT_ERRNO")};
    const auto filter = seccomp_filter(seccomp, "");
    ASSERT_FALSE(filter) << name;
    EXPECT_THAT(filter.error().message(), testing::HasSubstr("/linux/seccomp/syscalls/0/names/1"));
  }
}

// Two profiles that once had the same key: the one with a name that holds a separator poisoned the other's entry.
TEST(SeccompCache, KeepsApartWhatOnlyLooksAlike) {
  const TempDir directory = TempDir::create("seccomp-cache-").value();
  Seccomp one;
  one.default_action = "SCMP_ACT_ALLOW";
  one.syscalls = {rule({"mkdir", "mkdirat"}, "SCMP_ACT_ERRNO")};
  Seccomp other = one;
  other.syscalls = {rule({"mkdir\tmkdirat"}, "SCMP_ACT_ERRNO")};
  Seccomp third = one;
  third.syscalls = {rule({"mkdir5:mkdirat"}, "SCMP_ACT_ERRNO")};
  const std::vector<sock_filter> program = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  SeccompCache(directory.path(), other).store(program);
  SeccompCache(directory.path(), third).store(program);
  EXPECT_FALSE(SeccompCache(directory.path(), one).load());
  EXPECT_TRUE(SeccompCache(directory.path(), other).load());
}

TEST(SeccompEvaluation, TrustsNothingItDoesNotKnow) {
  EXPECT_FALSE(seccomp_allows({}, {SYS_read, {}}));
  const std::vector<sock_filter> unknown = {{BPF_LD | BPF_W | BPF_LEN, 0, 0, 0},
                                            {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  EXPECT_FALSE(seccomp_allows(unknown, {SYS_read, {}}));
  const std::vector<sock_filter> outside = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 64},
                                            {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  EXPECT_FALSE(seccomp_allows(outside, {SYS_read, {}}));
  const std::vector<sock_filter> jump = {{BPF_JMP | BPF_JA, 0, 0, 1000}, {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  EXPECT_FALSE(seccomp_allows(jump, {SYS_read, {}}));
}

}  // namespace
}  // namespace skerry::oci
