#include "drivers/qemu/share_jail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>

namespace skerry::qemu {
namespace {

ShareJailInputs sample() {
  ShareJailInputs inputs;
  inputs.rootfs = "/run/x/shares/root";
  inputs.program = "/usr/lib/qemu/virtiofsd";
  inputs.memory_mib = 128;
  inputs.shares = {{{}, "bind", "/srv/a", {"rbind", "rw"}, {}, {}}, {{}, "bind", "/srv/b", {"rbind", "rro"}, {}, {}}};
  return inputs;
}

TEST(ShareJail, HasTheSharesAndNothingElseOfTheHost) {
  const auto spec = share_jail(sample());
  EXPECT_TRUE(spec.root.readonly);
  std::vector<std::string> binds;
  for (const auto& mount : spec.mounts) {
    if (mount.type == "bind") binds.push_back(mount.source + " " + mount.destination);
  }
  EXPECT_THAT(binds, testing::ElementsAre("/usr /usr", "/srv/a /share/0", "/srv/b /share/1"));
  EXPECT_THAT(spec.mounts.back().options, testing::Contains("rro"));
}

TEST(ShareJail, MayActOnFilesAndNothingMore) {
  const auto spec = share_jail(sample());
  const auto& bounding = spec.process->capabilities->bounding;
  EXPECT_THAT(bounding, testing::IsSupersetOf({"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER"}));
  for (const char* never : {"CAP_SYS_ADMIN", "CAP_MKNOD", "CAP_DAC_READ_SEARCH", "CAP_NET_ADMIN", "CAP_SYS_PTRACE"}) {
    EXPECT_THAT(bounding, testing::Not(testing::Contains(never)));
  }
  EXPECT_TRUE(spec.process->no_new_privileges);
  ASSERT_TRUE(spec.linux_part.seccomp);
  const auto& rules = spec.linux_part.seccomp->syscalls;
  const auto names_unshare = [](const auto& rule) { return std::ranges::count(rule.names, "unshare") > 0; };
  ASSERT_EQ(std::ranges::count_if(rules, names_unshare), 1);
  const auto rule = std::ranges::find_if(rules, names_unshare);
  ASSERT_EQ(rule->args.size(), 1U);
  EXPECT_EQ(rule->args[0].value, std::uint64_t{CLONE_FS});
  EXPECT_EQ(spec.linux_part.resources.memory->limit, std::int64_t{128 + 192} << 20U);
}

TEST(ShareJail, HasTheQuotaOfTheVmm) {
  auto inputs = sample();
  inputs.cpu_milli = 250;
  const auto spec = share_jail(inputs);
  ASSERT_TRUE(spec.linux_part.resources.cpu);
  EXPECT_EQ(spec.linux_part.resources.cpu->period_us, 100'000U);
  EXPECT_EQ(spec.linux_part.resources.cpu->quota_us, 25'000);
}

}  // namespace
}  // namespace skerry::qemu
