#include "oci/seccomp_evaluation.h"

#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include "oci/seccomp_filter.h"

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
