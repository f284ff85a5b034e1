// Starts from a memory snapshot: fast, and no two forks share what must be one guest's own.
#include <gmock/gmock.h>

#include <set>

#include "base/keeper_protocol.h"
#include "microvm_host.h"

namespace skerry {
namespace {

class ForkTest : public MicrovmTest {
 protected:
  [[nodiscard]] std::size_t most_templates() const override { return 2; }

  // Milliseconds that start() took.
  long start(Launch& launch) {
    const SystemClock clock;
    const MonoTime before = clock.monotonic();
    const auto started = driver_->start(launch);
    EXPECT_TRUE(started) << started.error().message();
    return (clock.monotonic() - before) / std::chrono::milliseconds(1);
  }

  // What it takes of the host, as its control group counts it.
  std::uint64_t used_kib(const Launch& launch) {
    const auto use = driver_->stats(launch.place);
    return use ? use->memory_bytes.value_or(0) / 1024 : 0;
  }
};

TEST_F(ForkTest, ASecondStartIsMuchFasterThanTheFirst) {
  auto& first = launch_of("first", {"sleep", "1000"});
  const long cold_ms = start(first);
  long best_ms = cold_ms;
  for (int i = 0; i < 3; ++i) best_ms = std::min(best_ms, start(launch_of(cat("fork-", i), {"sleep", "1000"})));
  RecordProperty("cold_ms", static_cast<int>(cold_ms));
  RecordProperty("fork_ms", static_cast<int>(best_ms));
  std::printf("first start %ld ms (with the template), best fork %ld ms\n", cold_ms, best_ms);
  EXPECT_LT(best_ms * 3, cold_ms);
}

// All alive at once.
TEST_F(ForkTest, ForksShareNothingThatIsOneGuestsOwn) {
  const int forks = fork_count();
  std::map<std::string, std::set<std::string>> seen;
  for (int i = 0; i < forks; ++i) {
    auto& launch = launch_of(cat("twin-", i), {"sleep", "1000"});
    const long took_ms = start(launch);
    if (forks > 20)
      std::printf("fork %d: %ld ms, %llu KiB\n", i, took_ms, static_cast<unsigned long long>(used_kib(launch)));
    seen["host name"].insert(exec(launch, {"hostname"}).out);
    seen["boot id"].insert(exec(launch, {"cat", "/proc/sys/kernel/random/boot_id"}).out);
    seen["uuid"].insert(exec(launch, {"cat", "/proc/sys/kernel/random/uuid"}).out);
    seen["random bytes"].insert(exec(launch, {"dd", "if=/dev/urandom", "bs=32", "count=1"}).out);
    // The kernel gives each new process its own AT_RANDOM; a stack address shows the layout's randomness.
    seen["layout"].insert(exec(launch, {"sh", "-c", "cat /proc/self/maps"}).out);
    const long now = std::strtol(exec(launch, {"date", "+%s"}).out.c_str(), nullptr, 10);
    EXPECT_LE(std::labs(now - SystemClock().now().ns / 1'000'000'000), 2);
  }
  for (const auto& [name, launch] : launches_)
    EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kRunning) << name;
  for (const auto& [what, values] : seen) EXPECT_EQ(values.size(), static_cast<std::size_t>(forks)) << what;
}

TEST_F(ForkTest, WhatOneForkWritesNoOtherSees) {
  auto& one = launch_of("one", {"sleep", "1000"});
  auto& other = launch_of("other", {"sleep", "1000"});
  start(one);
  EXPECT_EQ(exec(one, {"sh", "-c", "echo secret > /root/mine; echo secret > /dev/shm/mine; sync"}).code, 0);
  start(other);
  EXPECT_NE(exec(other, {"cat", "/root/mine"}).code, 0);
  EXPECT_NE(exec(other, {"cat", "/dev/shm/mine"}).code, 0);
  EXPECT_EQ(exec(one, {"cat", "/root/mine", "/dev/shm/mine"}).out, "secret\nsecret\n");
}

TEST_F(ForkTest, AnAppThatStopsForksAgainWithItsDisk) {
  auto& launch = launch_of("again", {"sleep", "1000"});
  start(launch);
  EXPECT_EQ(exec(launch, {"sh", "-c", "echo kept > /root/file"}).code, 0);
  ASSERT_OK(driver_->stop(launch.place, {5000}));
  ASSERT_OK(driver_->collect(launch.place, Kind::kApp));
  start(launch);
  EXPECT_EQ(exec(launch, {"cat", "/root/file"}).out, "kept\n");
}

TEST_F(ForkTest, AWorkloadThatCannotRunIsToldNotRetried) {
  auto& launch = launch_of("missing", {"nosuch"});
  const auto started = driver_->start(launch);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kCommandNotFound);
  EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kAbsent);
}

// A daemon killed inside a start: what lives without a name is never taken for the environment.
TEST_F(ForkTest, AStartThatIsKilledIsNoRun) {
  start(launch_of("first", {"sleep", "1000"}));  // makes the template
  int killed = 0;
  for (bool alive = false; !alive; ++killed) {
    auto& launch = launch_of(cat("killed-", killed), {"sleep", "1000"});
    alive = !start_killed(launch, killed + 1);
    const auto observed = driver_->observe(launch.place);
    ASSERT_OK(observed);
    const bool told_all =
        read_file(launch.place.run_dir + "/pid") && !sys::exists(launch.place.run_dir + "/unfinished");
    EXPECT_EQ(observed->phase, told_all ? Phase::kRunning : Phase::kBroken) << killed;
    if (!told_all) {
      ASSERT_OK(driver_->collect(launch.place, Kind::kApp));
      EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kAbsent);
      start(launch);
    }
    EXPECT_EQ(exec(launch, {"hostname"}).out, cat("killed-", killed, "\n"));
    ASSERT_OK(driver_->destroy(launch.place));
  }
  EXPECT_GE(killed, 5);
}

TEST_F(ForkTest, ATemplateWhoseMakerIsKilledIsMadeAgain) {
  auto& launch = launch_of("late", {"sleep", "1000"});
  ASSERT_TRUE(start_killed(launch, 1));
  const auto left = read_keeper_pids(cache_dir_ + "/template/run");
  ASSERT_OK(left);
  EXPECT_TRUE(open_same_process(left->main, left->main_start));
  ASSERT_OK(driver_->collect(launch.place, Kind::kApp));
  // The next daemon's driver leaves nothing of it, whether or not it makes one itself.
  QemuConfig config;
  config.agent = bin("skerry-agent");
  config.cache_dir = cache_dir_;
  config.accel = AccelChoice::kTcg;
  config.most_templates = 1;
  make_qemu_driver(jail_, *images_, config);
  EXPECT_FALSE(open_same_process(left->main, left->main_start)) << "a template's guest was left";
  EXPECT_FALSE(sys::exists(cache_dir_ + "/template/run"));
  start(launch);
  EXPECT_FALSE(sys::exists(cache_dir_ + "/template/run"));
  // From a template again, not by booting.
  EXPECT_THAT(read_file(launch.place.run_dir + "/bundle/config.json").value_or(""), testing::HasSubstr("-incoming"));
}

TEST_F(ForkTest, TheTemplateLeavesNothingBehind) {
  start(launch_of("one", {"sleep", "1000"}));
  EXPECT_FALSE(sys::exists(cache_dir_ + "/template/run"));
  EXPECT_FALSE(sys::exists(cache_dir_ + "/template/state"));
}

}  // namespace
}  // namespace skerry
