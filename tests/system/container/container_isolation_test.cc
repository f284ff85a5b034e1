// What a container sees, may and cannot: looked at from inside.
#include <gmock/gmock.h>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "container_fixture.h"
#include "drivers/cgroup_usage.h"

namespace skerry::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ContainerIsolation : public ContainerTest {};

TEST_F(ContainerIsolation, OwnProcessesNameAndFiles) {
  auto launch = shell("echo pid $$; hostname; ls /; ps | wc -l; busybox grep -c . /proc/net/dev");
  launch.spec.hostname = "inside.example";
  const auto out = run_to_end(launch);
  EXPECT_THAT(out, HasSubstr("pid 1\n"));
  EXPECT_THAT(out, HasSubstr("inside.example\n"));
  EXPECT_THAT(out, Not(HasSubstr("boot")));
}

TEST_F(ContainerIsolation, DefaultGrants) {
  const auto out = run_to_end(shell("busybox grep -E 'CapEff|CapBnd|CapAmb|Seccomp:' /proc/self/status"));
  // chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, sys_chroot, setfcap
  EXPECT_THAT(out, HasSubstr("CapEff:\t00000000800405fb"));
  EXPECT_THAT(out, HasSubstr("CapBnd:\t00000000800405fb"));
  EXPECT_THAT(out, HasSubstr("CapAmb:\t0000000000000000"));
  EXPECT_THAT(out, HasSubstr("Seccomp:\t2"));
}

TEST_F(ContainerIsolation, WhatIsForbidden) {
  EXPECT_THAT(run_to_end(shell("mount -t tmpfs x /tmp; hostname evil; head -c1 /proc/kcore | wc -c; echo 1 > "
                               "/proc/sysrq-trigger; touch /sys/x; true")),
              ::testing::AllOf(HasSubstr("mount: "), HasSubstr("hostname: "), HasSubstr("0\n"),
                               HasSubstr("Read-only file system")));
}

TEST_F(ContainerIsolation, BindsTmpfsAndReadOnlyRoot) {
  ASSERT_TRUE(sys::mkdir_all(paths_.root + "/shared", 0777));
  ASSERT_TRUE(write_file_atomic(paths_.root + "/shared/file", "from the host\n", 0644));
  auto launch = shell(
      "cat /ro/file; touch /ro/x; echo back > /rw/back; touch /root/x; touch /scratch/y && echo scratch; "
      "busybox df -k /scratch | tail -1");
  launch.spec.security.read_only_root = true;
  launch.spec.mounts = {{paths_.root + "/shared", "/ro", true}, {paths_.root + "/shared", "/rw", false}};
  launch.spec.tmpfs = {{"/scratch", 7}};
  const auto out = run_to_end(launch);
  EXPECT_THAT(out, HasSubstr("from the host\n"));
  EXPECT_THAT(out, HasSubstr("/ro/x: Read-only file system"));
  EXPECT_THAT(out, HasSubstr("/root/x: Read-only file system"));
  EXPECT_THAT(out, HasSubstr("scratch\n"));
  EXPECT_THAT(out, HasSubstr("7168"));
  EXPECT_EQ(read_file(paths_.root + "/shared/back").value(), "back\n");
}

TEST_F(ContainerIsolation, RunsAsAnOrdinaryUser) {
  auto launch = shell("id; busybox grep CapEff /proc/self/status; echo $HOME");
  launch.spec.user = "app";
  EXPECT_THAT(run_to_end(launch), ::testing::AllOf(HasSubstr("uid=1000(app)"), HasSubstr("CapEff:\t0000000000000000"),
                                                   HasSubstr("/home\n")));
}

TEST_F(ContainerIsolation, SeccompFromAFileAndNone) {
  const std::string path = paths_.root + "/profile.json";
  ASSERT_TRUE(write_file_atomic(path,
                                R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
                                    {"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":1}]})",
                                0644));
  auto launch = shell("busybox mkdir /tmp/x; busybox grep Seccomp: /proc/self/status");
  launch.spec.security.seccomp_profile = path;
  EXPECT_THAT(run_to_end(launch), ::testing::AllOf(HasSubstr("Operation not permitted"), HasSubstr("Seccomp:\t2")));
  launch.spec.security.seccomp_profile = "unconfined";
  EXPECT_THAT(run_to_end(launch), HasSubstr("Seccomp:\t0"));
}

TEST_F(ContainerIsolation, UserNamespace) {
  auto launch = shell(
      "id -u; busybox awk '{print $2}' /proc/self/uid_map; touch /root/mine && stat -c %u /root/mine; "
      "stat -c %u /bin/busybox; stat -c %u /etc/hosts; ls /sys >/dev/null && echo sys; "
      "nc -l -p 80 -e true & busybox usleep 50000; echo port; exec sleep 1000");
  launch.spec.security.user_namespace = true;
  launch.network = attachment("10.199.7.70");
  const auto started = start(launch);
  const auto out = await_log(launch, "port");
  EXPECT_THAT(out, ::testing::StartsWith("0\n"));
  EXPECT_THAT(out, HasSubstr("\n0\n0\n0\nsys\nport"));
  EXPECT_THAT(out, Not(HasSubstr("ermission")));
  // Nobody of the host is in there.
  const auto uid = sys::stat(cat("/proc/", started.pid)).value().st_uid;
  EXPECT_GE(uid, 1'879'048'192U);
  EXPECT_THAT(out, HasSubstr(cat("\n", uid, "\n")));
  EXPECT_EQ(exec_shell(launch, "id -u").out, "0\n");
}

// ── network ──

TEST_F(ContainerIsolation, WithoutANetworkThereIsLoopback) {
  auto launch = shell("ip -o addr; ping -c1 -W5 127.0.0.1");
  launch.spec.security.cap_add = {"NET_RAW"};
  EXPECT_THAT(run_to_end(launch),
              ::testing::AllOf(HasSubstr("127.0.0.1/8"), Not(HasSubstr("eth0")), HasSubstr("1 packets received")));
}

TEST_F(ContainerIsolation, OnTheBridge) {
  auto launch = shell("ip -o addr; ip route; cat /etc/resolv.conf /etc/hosts /etc/hostname; ping -c1 -W5 10.199.7.1");
  launch.network = attachment("10.199.7.80");
  launch.spec.security.cap_add = {"CAP_NET_RAW"};
  EXPECT_THAT(run_to_end(launch), ::testing::AllOf(HasSubstr("10.199.7.80/24"), HasSubstr("default via 10.199.7.1"),
                                                   HasSubstr("nameserver 192.0.2.53"), HasSubstr("10.199.7.80\tenv-a1"),
                                                   HasSubstr("1 packets received")));
}

TEST_F(ContainerIsolation, CountsTraffic) {
  auto launch = shell("ping -c3 -i 0.1 -W5 10.199.7.1 >/dev/null; echo up; exec sleep 1000");
  launch.network = attachment("10.199.7.81");
  launch.spec.security.cap_add = {"net_raw"};
  start(launch);
  await_log(launch, "up");
  const auto sample = driver_->stats(launch.place).value();
  EXPECT_GT(sample.net_rx_bytes.value_or(0), 200U);
  EXPECT_GT(sample.net_tx_bytes.value_or(0), 200U);
}

// ── limits ──

TEST_F(ContainerIsolation, MemoryIsLimited) {
  auto launch = shell("tail /dev/zero; echo survived");
  launch.spec.command = {"/bin/tail", "/dev/zero"};
  launch.spec.resources.memory_mib = 16;
  start(launch);
  const auto observed = await_exit(launch);
  EXPECT_EQ(observed.exit_code, 137);
  EXPECT_EQ(observed.reason, "out of memory");
}

TEST_F(ContainerIsolation, ProcessesAreLimited) {
  auto launch = shell("for i in $(seq 40); do sleep 1000 & done; echo all");
  launch.spec.resources.pids = 10;
  start(launch);
  await_exit(launch);
  EXPECT_THAT(read_log(launch), HasSubstr("can't fork"));
}

TEST_F(ContainerIsolation, LimitsChangeWhileItRuns) {
  auto launch = shell("sleep 1000");
  launch.spec.resources = {.cpu_milli = 500, .memory_mib = 64, .pids = 10};
  start(launch);
  const auto groups = decode_cgroups(read_file(launch.place.run_dir + "/cgroups").value());
  const auto value = [&](const char* controller, std::string_view v1, std::string_view v2) {
    const auto group = find_controller(groups, controller);
    return std::string(trim(read_file(cat(group.path, "/", group.unified ? v2 : v1)).value_or("")));
  };
  for (const std::uint32_t factor : {2U, 1U}) {
    ASSERT_TRUE(driver_->limit(launch.place, {500 * factor, 64 * factor, 10 * factor}));
    EXPECT_EQ(value("pids", "pids.max", "pids.max"), cat(10 * factor));
    EXPECT_EQ(value("memory", "memory.limit_in_bytes", "memory.max"), cat((64U << 20U) * factor));
    EXPECT_TRUE(value("cpu", "cpu.cfs_quota_us", "cpu.max").starts_with(cat(50'000 * factor)));
  }
}

TEST_F(ContainerIsolation, TheCpuIsLimited) {
  auto launch = shell("while true; do :; done");
  launch.spec.resources.cpu_milli = 100;
  start(launch);
  const SystemClock clock;
  const MonoTime begin = clock.monotonic();
  std::uint64_t cpu_ns = 0;
  // Until it has had a tenth of a second of CPU: that takes ten times as long.
  while (cpu_ns < 100'000'000 && clock.monotonic() - begin < kDeadline) {
    cpu_ns = driver_->stats(launch.place).value().cpu_ns.value_or(0);
  }
  EXPECT_GE(clock.monotonic() - begin, std::chrono::milliseconds(500));
  EXPECT_GE(cpu_ns, 100'000'000U);
}

}  // namespace
}  // namespace skerry::testing
