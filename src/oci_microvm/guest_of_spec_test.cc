#include "oci_microvm/guest_of_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "wire/oci_spec_defaults.h"

namespace skerry::oci_microvm {
namespace {

using testing::HasSubstr;

oci::Spec sample() {
  auto spec = oci::default_spec();
  spec.process->terminal = false;
  spec.root.readonly = false;
  return spec;
}

TEST(GuestOfSpec, TakesWhatAGuestCanHave) {
  auto spec = sample();
  spec.hostname = "box";
  spec.mounts.push_back({"/data", "bind", "/srv/data", {"rbind", "ro"}, {}, {}});
  spec.mounts.push_back({"/scratch", "tmpfs", "tmpfs", {"size=16m"}, {}, {}});
  spec.linux_part.resources.memory = oci::MemoryLimits{};
  spec.linux_part.resources.memory->limit = std::int64_t{512} << 20;
  spec.linux_part.resources.cpu = oci::CpuLimits{};
  spec.linux_part.resources.cpu->quota_us = 150'000;
  spec.linux_part.resources.pids_limit = 99;
  spec.linux_part.cgroups_path = "/pod/x";
  spec.process->rlimits = {{"RLIMIT_NOFILE", 10, 20}};
  const auto guest = guest_of_spec(spec, "/bundle/rootfs");
  ASSERT_TRUE(guest) << guest.error().message();
  EXPECT_EQ(guest->memory_mib, 512U);
  EXPECT_EQ(guest->cpu_milli, 1500U);
  EXPECT_EQ(guest->control_group, "/pod/x");
  ASSERT_EQ(guest->shares.size(), 2U);
  EXPECT_EQ(guest->shares[0].source, "/bundle/rootfs");
  EXPECT_FALSE(guest->shares[0].read_only);
  EXPECT_EQ(guest->shares[1].source, "/srv/data");
  EXPECT_TRUE(guest->shares[1].read_only);
  const auto& document = guest->document;
  EXPECT_TRUE(document.wait_for_start && document.keep_etc);
  EXPECT_EQ(document.hostname, "box");
  EXPECT_EQ(document.pids_max, 99U);
  ASSERT_EQ(document.mounts.size(), 2U) << "the file systems of a kernel are the guest's own";
  EXPECT_EQ(document.mounts[0].source, "1");
  EXPECT_EQ(document.mounts[1].size_mib, 16U);
  EXPECT_THAT(document.workload.drop_capabilities, testing::ElementsAre("ALL"));
  EXPECT_EQ(document.workload.keep_capabilities, spec.process->capabilities->bounding);
  ASSERT_EQ(document.workload.limits.size(), 1U);
  EXPECT_EQ(document.workload.limits[0].hard, 20U);
}

TEST(GuestOfSpec, RefusesTheRestByItsPath) {
  using Change = std::function<void(oci::Spec&)>;
  const auto drop = [](std::string_view type) {
    return
        [type](oci::Spec& spec) { std::erase_if(spec.linux_part.namespaces, [&](auto& n) { return n.type == type; }); };
  };
  const std::vector<std::pair<std::string, Change>> cases{
      {"host's network", drop("network")},
      {"host's pid", drop("pid")},
      {"another's ipc",
       [](auto& s) {
         for (auto& n : s.linux_part.namespaces) n.path = n.type == "ipc" ? "/proc/1/ns/ipc" : "";
       }},
      {"user namespace", [](auto& s) { s.linux_part.namespaces.push_back({"user", ""}); }},
      {"/linux/devices", [](auto& s) { s.linux_part.devices.push_back({"c", "/dev/x", 1, 2, {}, {}, {}}); }},
      {"/linux/resources/unified", [](auto& s) { s.linux_part.resources.unified["memory.high"] = "1"; }},
      {"/linux/resources/memory",
       [](auto& s) {
         s.linux_part.resources.memory.emplace();
         s.linux_part.resources.memory->limit = 1 << 20;
       }},
      {"/linux/resources/cpu/cpus", [](auto& s) { s.linux_part.resources.cpu.emplace().cpus = "0-1"; }},
      {"/linux/resources/cpu/realtimeRuntime",
       [](auto& s) { s.linux_part.resources.cpu.emplace().realtime_runtime_us = 1000; }},
      {"/hooks", [](auto& s) { s.hooks.start_container.push_back({"/x", {}, {}, {}}); }},
      {"of type nfs", [](auto& s) { s.mounts.push_back({"/n", "nfs", "x", {}, {}, {}}); }},
      {"tmpcopyup", [](auto& s) { s.mounts.push_back({"/n", "tmpfs", "x", {"tmpcopyup"}, {}, {}}); }},
      {"/process/args", [](auto& s) { s.process->args.clear(); }},
      {"scheduler", [](auto& s) { s.process->scheduler.emplace(); }},
  };
  for (const auto& [words, change] : cases) {
    auto spec = sample();
    change(spec);
    const auto guest = guest_of_spec(spec, "/rootfs");
    ASSERT_FALSE(guest) << words;
    EXPECT_THAT(guest.error().message(), HasSubstr(words));
  }
}

}  // namespace
}  // namespace skerry::oci_microvm
