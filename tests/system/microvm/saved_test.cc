// Runs on disk: suspended and resumed, saved while they go on, restored, and begun again as somebody else.
#include <gmock/gmock.h>

#include <set>

#include "microvm_host.h"

namespace skerry {
namespace {

using testing::HasSubstr;

// With and without a template: the two forms of a guest's memory.
class SavedTest : public MicrovmTest, public testing::WithParamInterface<int> {
 protected:
  [[nodiscard]] std::size_t most_templates() const override { return static_cast<std::size_t>(GetParam()); }

  void start(const Launch& launch) {
    const auto started = driver_->start(launch);
    ASSERT_TRUE(started) << started.error().message();
  }

  // A guest that counts in memory: what goes on shows in the number.
  Launch& counting(const std::string& name) {
    return launch_of(name, {"sh", "-c", "n=0; while :; do n=$((n+1)); echo $n > /dev/shm/n; sleep 0.05; done"});
  }
  long count(const Launch& launch) { return std::strtol(exec(launch, {"cat", "/dev/shm/n"}).out.c_str(), nullptr, 10); }
  void await_count(const Launch& launch, long at_least) {
    const SystemClock clock;
    const MonoTime deadline = clock.monotonic() + std::chrono::seconds(20);
    while (count(launch) < at_least) ASSERT_LT(clock.monotonic(), deadline);
  }

  std::string saved_dir(const std::string& name) {
    const std::string path = *temp_ / name;
    EXPECT_TRUE(sys::mkdir_all(path, 0700));
    return path;
  }
};

INSTANTIATE_TEST_SUITE_P(Templates, SavedTest, testing::Values(0, 1));

// Killed before the memory is used up, it goes on from there at the next start, after that it boots from its disk; it
// is never taken for a run while it stands still or has not been told the time.
class KilledSavedTest : public SavedTest {};
INSTANTIATE_TEST_SUITE_P(Templates, KilledSavedTest, testing::Values(1));
TEST_P(KilledSavedTest, AResumptionThatIsKilledIsTriedAgain) {
  bool killed = true;
  for (int at = 1; killed; ++at) {
    auto& launch = counting(cat("sleeper-", at));
    launch.spec.kind = Kind::kDisposable;
    start(launch);
    await_count(launch, 5);
    EXPECT_EQ(exec(launch, {"sh", "-c", "echo on disk > /root/file; sync"}).code, 0);
    const std::string boot = exec(launch, {"cat", "/proc/sys/kernel/random/boot_id"}).out;
    ASSERT_OK(driver_->suspend(launch.place));
    killed = start_killed(launch, at);
    const bool kept = sys::exists(launch.place.state_dir + "/suspended/machine");
    EXPECT_EQ(driver_->observe(launch.place)->phase, killed ? Phase::kBroken : Phase::kRunning) << at;
    if (killed) {
      ASSERT_OK(driver_->collect(launch.place, launch.spec.kind));
      start(launch);
    }
    EXPECT_EQ(exec(launch, {"cat", "/proc/sys/kernel/random/boot_id"}).out == boot, kept || !killed) << at;
    EXPECT_EQ(exec(launch, {"cat", "/root/file"}).code == 0, kept || !killed) << at;
    ASSERT_OK(driver_->destroy(launch.place));
  }
}

TEST_P(SavedTest, ASuspendedRunGoesOnWhereItWas) {
  auto& launch = counting("sleeper");
  start(launch);
  await_count(launch, 5);
  EXPECT_EQ(exec(launch, {"sh", "-c", "echo on disk > /root/file"}).code, 0);
  const long before = count(launch);
  ASSERT_OK(driver_->suspend(launch.place));
  EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kAbsent);
  EXPECT_FALSE(sys::exists(launch.place.run_dir));
  start(launch);
  EXPECT_GE(count(launch), before);
  EXPECT_LT(count(launch), before + 200);  // a new start would begin at 0 only after seconds
  await_count(launch, count(launch) + 2);
  EXPECT_EQ(exec(launch, {"cat", "/root/file"}).out, "on disk\n");
  const long now = std::strtol(exec(launch, {"date", "+%s"}).out.c_str(), nullptr, 10);
  EXPECT_LE(std::labs(now - SystemClock().now().ns / 1'000'000'000), 2);
  // Once used, the memory is of the past.
  EXPECT_FALSE(sys::exists(launch.place.state_dir + "/suspended/memory"));
}

TEST_P(SavedTest, ARunIsSavedWhileItGoesOnAndComesBackAsItWas) {
  auto& launch = counting("saved");
  start(launch);
  await_count(launch, 3);
  EXPECT_EQ(exec(launch, {"sh", "-c", "echo then > /root/file; echo then > /dev/shm/file"}).code, 0);
  const std::string saved = saved_dir("snapshot");
  ASSERT_OK(driver_->save(launch.place, saved));
  const long then = count(launch);
  EXPECT_EQ(exec(launch, {"sh", "-c", "echo now > /root/file; echo now > /dev/shm/file; sync"}).code, 0);
  await_count(launch, then + 10);
  ASSERT_OK(driver_->stop(launch.place, {0}));
  ASSERT_OK(driver_->collect(launch.place, Kind::kApp));
  ASSERT_OK(driver_->restore(launch.place, saved));
  start(launch);
  EXPECT_LT(count(launch), then + 10);
  EXPECT_EQ(exec(launch, {"cat", "/root/file", "/dev/shm/file"}).out, "then\nthen\n");
  // The same save again: nothing of it was used up.
  ASSERT_OK(driver_->stop(launch.place, {0}));
  ASSERT_OK(driver_->collect(launch.place, Kind::kApp));
  ASSERT_OK(driver_->restore(launch.place, saved));
  start(launch);
  EXPECT_EQ(exec(launch, {"cat", "/root/file"}).out, "then\n");
}

TEST_P(SavedTest, ForksOfARunShareNothingThatIsOneGuestsOwn) {
  auto& source = launch_of("source", {"sleep", "1000"});
  start(source);
  EXPECT_EQ(exec(source, {"sh", "-c",
                          "echo inherited > /root/file; echo 00000000000000000000000000000000 > /etc/machine-id; "
                          "busybox mkdir -p /etc/ssh; echo key > /etc/ssh/ssh_host_rsa_key"})
                .code,
            0);
  const std::string saved = saved_dir("fork");
  ASSERT_OK(driver_->save(source.place, saved));
  std::map<std::string, std::set<std::string>> seen;
  const int forks = fork_count();
  for (int i = 0; i < forks; ++i) {
    auto& fork = launch_of(cat("fork-", i), {"sleep", "1000"});
    fork.saved = saved;
    start(fork);
    EXPECT_EQ(exec(fork, {"cat", "/root/file"}).out, "inherited\n");
    seen["host name"].insert(exec(fork, {"cat", "/proc/sys/kernel/hostname", "/etc/hostname"}).out);
    seen["machine id"].insert(exec(fork, {"cat", "/etc/machine-id"}).out);
    seen["uuid"].insert(exec(fork, {"cat", "/proc/sys/kernel/random/uuid"}).out);
    seen["random bytes"].insert(exec(fork, {"dd", "if=/dev/urandom", "bs=32", "count=1"}).out);
    const long now = std::strtol(exec(fork, {"date", "+%s"}).out.c_str(), nullptr, 10);
    EXPECT_LE(std::labs(now - SystemClock().now().ns / 1'000'000'000), 2);
    EXPECT_NE(exec(fork, {"cat", "/etc/ssh/ssh_host_rsa_key"}).out, "key\n");
    EXPECT_EQ(exec(fork, {"sh", "-c", cat("echo ", i, " > /root/file; sync")}).code, 0);
    if (forks > 20) ASSERT_OK(driver_->destroy(fork.place));
  }
  for (const auto& [what, values] : seen) EXPECT_EQ(values.size(), static_cast<std::size_t>(forks)) << what;
  EXPECT_EQ(exec(source, {"cat", "/root/file"}).out, "inherited\n");
}

TEST_P(SavedTest, MemoryOfAnotherMachineIsNotUsed) {
  auto& launch = counting("changed");
  start(launch);
  EXPECT_EQ(exec(launch, {"sh", "-c", "echo kept > /root/file"}).code, 0);
  ASSERT_OK(driver_->suspend(launch.place));
  launch.spec.resources.memory_mib = 192;
  start(launch);
  EXPECT_EQ(exec(launch, {"cat", "/root/file"}).out, "kept\n");
  EXPECT_THAT(exec(launch, {"sh", "-c", "cat /proc/meminfo"}).out, HasSubstr("MemTotal"));
}

TEST_P(SavedTest, WritersDoNotBreakTheChannel) {
  auto& launch = launch_of("noisy", {"sh", "-c", "while :; do cat /bin/busybox; done"});
  start(launch);
  const std::string saved = saved_dir("noisy-snapshot");
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK(driver_->save(launch.place, saved));
    EXPECT_EQ(exec(launch, {"true"}).code, 0);
  }
  ASSERT_OK(driver_->suspend(launch.place));
  start(launch);
  EXPECT_EQ(exec(launch, {"true"}).code, 0);
}

}  // namespace
}  // namespace skerry
