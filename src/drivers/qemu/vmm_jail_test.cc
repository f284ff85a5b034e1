#include "drivers/qemu/vmm_jail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/text.h"

namespace skerry::qemu {
namespace {

VmmJailInputs sample() {
  VmmJailInputs inputs;
  inputs.rootfs = "/run/x/vmm";
  inputs.kernel = "/cache/vmlinux";
  inputs.initramfs = "/cache/initramfs";
  inputs.uid = 1'100'000'000;
  inputs.memory_mib = 128;
  inputs.cpu_milli = 1500;
  inputs.argv = {"/usr/bin/qemu-system-x86_64", "-nodefaults"};
  return inputs;
}

TEST(VmmJail, GivesNothingAway) {
  const auto spec = vmm_jail(sample());
  EXPECT_TRUE(spec.root.readonly);
  EXPECT_TRUE(spec.process->no_new_privileges);
  EXPECT_EQ(spec.process->user.uid, 1'100'000'000U);
  EXPECT_TRUE(spec.process->capabilities->bounding.empty());
  EXPECT_TRUE(spec.process->capabilities->effective.empty());
  ASSERT_TRUE(spec.linux_part.seccomp);
  std::set<std::string> types;
  for (const auto& ns : spec.linux_part.namespaces) {
    types.insert(ns.type);
    EXPECT_TRUE(ns.path.empty()) << ns.type;
  }
  EXPECT_THAT(types, testing::IsSupersetOf({"pid", "network", "ipc", "uts", "mount"}));
  for (const auto& mount : spec.mounts) {
    if (mount.type != "bind") continue;
    EXPECT_THAT(mount.options, testing::Contains("ro")) << mount.destination;
  }
}

TEST(VmmJail, MakesThreadsAndUnixSocketsOnly) {
  const auto filter = vmm_jail(sample()).linux_part.seccomp.value();
  EXPECT_EQ(filter.default_action, "SCMP_ACT_ERRNO");
  std::set<std::string> seen;
  for (const auto& rule : filter.syscalls) {
    for (const auto& name : rule.names) {
      EXPECT_TRUE(seen.insert(name).second) << name << " twice";
      const bool narrowed = name == "clone" || name == "socket" || name == "socketpair";
      EXPECT_EQ(rule.args.empty(), !narrowed) << name;
    }
  }
  for (const char* never : {"ptrace", "process_vm_readv", "kill", "tkill", "fork", "vfork", "unshare", "setns", "mount",
                            "bind", "listen", "accept4", "bpf", "io_uring_setup", "userfaultfd", "unlink", "mkdir"}) {
    EXPECT_FALSE(seen.contains(never)) << never;
  }
}

TEST(VmmJail, LimitsFollowTheGuest) {
  const auto spec = vmm_jail(sample());
  EXPECT_EQ(spec.linux_part.resources.memory->limit, std::int64_t{128 + kVmmOverheadMib} << 20U);
  EXPECT_EQ(spec.linux_part.resources.cpu->quota_us, 150'000);
  EXPECT_TRUE(spec.linux_part.resources.pids_limit);
}

TEST(VmmJail, OnlyKvmGetsItsDevice) {
  auto inputs = sample();
  EXPECT_TRUE(vmm_jail(inputs).linux_part.devices.empty());
  inputs.kvm = true;
  EXPECT_EQ(vmm_jail(inputs).linux_part.devices.at(0).path, "/dev/kvm");
}

TEST(VmmJail, DevicesOfTheHostComeWithTheirNodesAndNothingElse) {
  auto inputs = sample();
  const auto before = vmm_jail(inputs);
  inputs.nodes = {{"/dev/vfio/12", 237, 3}, {"/dev/vfio/vfio", 10, 196}};
  const auto spec = vmm_jail(inputs);
  ASSERT_EQ(spec.linux_part.devices.size(), 2U);
  EXPECT_EQ(spec.linux_part.devices[0].path, "/dev/vfio/12");
  EXPECT_EQ(spec.linux_part.devices[0].uid, inputs.uid);
  const auto& rule = spec.linux_part.resources.devices.back();
  EXPECT_TRUE(rule.allow && rule.major == 10 && rule.minor == 196 && rule.access == "rw");
  EXPECT_EQ(spec.linux_part.resources.devices.size(), before.linux_part.resources.devices.size() + 2);
  EXPECT_EQ(spec.process->rlimits.back().type, "RLIMIT_MEMLOCK");
  EXPECT_EQ(spec.process->rlimits.back().hard, std::uint64_t{128 + kVmmOverheadMib} << 20U);
  EXPECT_EQ(spec.mounts.size(), before.mounts.size() + 1);
}

TEST(VmmJail, TellsTheMemoryOfItsGuest) {
  auto inputs = sample();
  inputs.memory_mib = 300;
  EXPECT_EQ(memory_mib_of(vmm_jail(inputs)), 300U);
  EXPECT_EQ(memory_mib_of(oci::Spec{}).error().code, ErrorCode::kCorrupt);
}

TEST(VmmUid, IsItsOwn) {
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto uid = vmm_uid(cat("0123456789abc", i));
    EXPECT_GE(uid, 1U << 30U);
    EXPECT_LT(uid, 0x70000000U);  // the containers' user namespaces
    EXPECT_TRUE(seen.insert(uid).second);
  }
  EXPECT_EQ(vmm_uid("a"), vmm_uid("a"));
}

}  // namespace
}  // namespace skerry::qemu
