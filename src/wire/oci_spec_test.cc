#include "wire/oci_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "wire/oci_spec_defaults.h"
#include "wire/oci_spec_state.h"

namespace skerry::oci {
namespace {

using ::testing::HasSubstr;

std::string error_of(const std::string& json) {
  const auto spec = parse_spec(json);
  return spec ? "" : spec.error().message();
}

std::string with(const std::string& members) {
  return R"({"ociVersion":"1.0.2","root":{"path":"r"})" + (members.empty() ? "" : "," + members) + "}";
}

TEST(OciSpec, TheSmallestDocumentIsRead) {
  const auto spec = parse_spec(with(""));
  ASSERT_TRUE(spec);
  EXPECT_EQ(spec->root.path, "r");
  EXPECT_FALSE(spec->process);
}

TEST(OciSpec, WhatIsWrittenIsReadAgain) {
  for (const Spec& spec : {default_spec(), default_rootless_spec(1000, 100)}) {
    const std::string text = to_json(spec);
    const auto again = parse_spec(text);
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(to_json(*again), text);
  }
}

TEST(OciSpec, ErrorsNameTheJsonPath) {
  EXPECT_THAT(error_of(with(R"("process":{"args":["a"],"cwd":"/","user":{"uid":-1}})")),
              HasSubstr("/process/user/uid: "));
  EXPECT_THAT(error_of(with(R"("mounts":[{"destination":"/a"},{"destination":3}])")),
              HasSubstr("/mounts/1/destination: "));
  EXPECT_THAT(error_of(with(R"("linux":{"resources":{"pids":{"limit":1.5}}})")),
              HasSubstr("/linux/resources/pids/limit: expected an integer"));
  EXPECT_THAT(error_of(with(R"("linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":[]}]}})")),
              HasSubstr("/linux/seccomp/syscalls/0/names: "));
  EXPECT_THAT(error_of("[]"), HasSubstr("/: expected an object"));
  EXPECT_THAT(error_of("{\"a\":"), HasSubstr("invalid JSON at byte"));
}

TEST(OciSpec, NumbersAreHeldToTheirRange) {
  EXPECT_THAT(error_of(with(R"("process":{"args":["a"],"cwd":"/","user":{"uid":4294967296}})")),
              HasSubstr("out of range"));
  EXPECT_EQ(error_of(with(R"("process":{"args":["a"],"cwd":"/","user":{"uid":4294967295}})")), "");
}

TEST(OciSpec, ANulInsideAStringIsRefused) {
  EXPECT_THAT(error_of(with(R"("hostname":"a\u0000b")")), HasSubstr("/hostname: a NUL"));
}

TEST(OciSpec, NullCountsAsAbsentAndUnknownMembersAreIgnored) {
  EXPECT_EQ(error_of(with(R"("process":null,"hooks":null,"future":{"x":[1]})")), "");
}

TEST(OciSpec, DepthIsBounded) {
  EXPECT_THAT(error_of(with("\"x\":" + std::string(5000, '[') + std::string(5000, ']'))), HasSubstr("nested deeper"));
  EXPECT_EQ(error_of(with("\"x\":\"" + std::string(5000, '[') + "\"")), "");
}

TEST(OciSpecDefaults, InheritableAndAmbientCapabilitiesAreEmpty) {
  const auto sets = capability_sets(default_capabilities());
  EXPECT_TRUE(sets.inheritable.empty());
  EXPECT_TRUE(sets.ambient.empty());
  EXPECT_EQ(sets.bounding, default_capabilities());
}

bool allows(const Seccomp& seccomp, const std::string& name) {
  return std::ranges::any_of(seccomp.syscalls, [&](const SeccompRule& rule) {
    return rule.action == "SCMP_ACT_ALLOW" && std::ranges::find(rule.names, name) != rule.names.end();
  });
}

TEST(OciSpecDefaults, CapabilitiesOpenTheCallsTheyGuard) {
  const auto plain = default_seccomp(default_capabilities());
  for (const char* name :
       {"mount", "unshare", "setns", "bpf", "kexec_load", "init_module", "io_uring_setup", "keyctl"}) {
    EXPECT_FALSE(allows(plain, name)) << name;
  }
  for (const char* name : {"read", "execve", "openat", "futex", "clone", "socket", "chroot"}) {
    EXPECT_TRUE(allows(plain, name)) << name;
  }
  const auto admin = default_seccomp({"CAP_SYS_ADMIN"});
  EXPECT_TRUE(allows(admin, "mount"));
  EXPECT_TRUE(allows(admin, "clone3"));
  EXPECT_FALSE(allows(admin, "chroot"));
  EXPECT_FALSE(allows(admin, "io_uring_setup"));
}

TEST(OciSpecDefaults, NoCallIsBothAllowedAndRefused) {
  for (const auto& capabilities : {default_capabilities(), std::vector<std::string>{"CAP_SYS_ADMIN", "CAP_SYSLOG"}}) {
    const auto seccomp = default_seccomp(capabilities);
    for (const auto& rule : seccomp.syscalls) {
      if (rule.action == "SCMP_ACT_ALLOW") continue;
      for (const auto& name : rule.names) EXPECT_FALSE(allows(seccomp, name)) << name;
    }
  }
}

TEST(ContainerRecord, IsReadAsItWasWritten) {
  ContainerRecord record;
  record.id = "x";
  record.pid = 7;
  record.pid_start_time = 99;
  record.cgroup = {"cgroupfs", "", "", {{{"cpu", "cpuacct"}, "/a"}, {{}, "/b"}}};
  record.annotations = {{"k", "v"}};
  const auto again = parse_record(to_json(record));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(to_json(*again), to_json(record));
  EXPECT_EQ(again->cgroup.directories, record.cgroup.directories);
}

}  // namespace
}  // namespace skerry::oci
