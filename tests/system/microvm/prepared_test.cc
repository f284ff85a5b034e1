// Machines that are made before anybody asks for them: Driver::prepare(), and start() from there.
#include <gmock/gmock.h>

#include <set>

#include "base/keeper_protocol.h"
#include "microvm_host.h"

namespace skerry {
namespace {

class PreparedTest : public MicrovmTest, public testing::WithParamInterface<WarmMode> {
 protected:
  [[nodiscard]] std::size_t most_templates() const override { return 2; }

  // Prepared for nobody, as the control plane does it.
  Launch& prepared(const std::string& name) {
    auto& launch = launch_of(name, {"sleep", "1000"});
    Launch nobody = launch;
    nobody.place.name = nobody.spec.name = "nobody";
    const auto made = driver_->prepare(nobody, GetParam());
    EXPECT_TRUE(made) << made.error().message();
    return launch;
  }
  static std::int64_t pid_of(const Launch& launch) {
    const auto pids = read_keeper_pids(launch.place.run_dir);
    return pids ? pids->main : 0;
  }
};

TEST_P(PreparedTest, BecomesTheEnvironmentThatIsStartedThere) {
  auto& launch = prepared("guest");
  const auto waiting = pid_of(launch);
  EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kAbsent);
  EXPECT_GT(driver_->stats(launch.place)->memory_bytes.value_or(0), 1U << 20U);
  launch.spec.command = {"sh", "-c", "echo from $WHO; exec sleep 1000"};
  launch.spec.env = {{"WHO", "me"}};
  launch.attach = true;
  const auto started = driver_->start(launch);
  ASSERT_OK(started);
  EXPECT_EQ(started->pid, waiting);
  EXPECT_GT(started->answered_at.ns, 0);
  ASSERT_TRUE(started->stdio);
  FrameParser parser;
  const auto said =
      next_frame(started->stdio->socket.get(), parser, SystemClock().monotonic() + std::chrono::seconds(9));
  EXPECT_EQ(said ? said->payload : "", "from me\n");
  EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kRunning);
  EXPECT_EQ(exec(launch, {"hostname"}).out, "guest\n");
  EXPECT_NE(exec(launch, {"ls", "/.skerry-rehearsal"}).code, 0);
  // A whole environment: what it wrote it has again.
  EXPECT_EQ(exec(launch, {"sh", "-c", "echo kept > /root/file"}).code, 0);
  ASSERT_OK(driver_->stop(launch.place, {5000}));
  ASSERT_OK(driver_->collect(launch.place, Kind::kApp));
  launch.attach = false;
  ASSERT_OK(driver_->start(launch));
  EXPECT_EQ(exec(launch, {"cat", "/root/file"}).out, "kept\n");
}

TEST_P(PreparedTest, SharesNothingWithOthersThatIsOneGuestsOwn) {
  const int guests = fork_count();
  std::vector<Launch*> all;
  for (int i = 0; i < guests; ++i) all.push_back(&prepared(cat("twin-", i)));
  std::map<std::string, std::set<std::string>> seen;
  for (auto* launch : all) {
    ASSERT_OK(driver_->start(*launch));
    seen["host name"].insert(exec(*launch, {"hostname"}).out);
    seen["boot id"].insert(exec(*launch, {"cat", "/proc/sys/kernel/random/boot_id"}).out);
    seen["uuid"].insert(exec(*launch, {"cat", "/proc/sys/kernel/random/uuid"}).out);
    seen["random bytes"].insert(exec(*launch, {"dd", "if=/dev/urandom", "bs=32", "count=1"}).out);
    seen["layout"].insert(exec(*launch, {"sh", "-c", "cat /proc/self/maps"}).out);
    const long now = std::strtol(exec(*launch, {"date", "+%s"}).out.c_str(), nullptr, 10);
    EXPECT_LE(std::labs(now - SystemClock().now().ns / 1'000'000'000), 2);
    if (guests > 20) {
      EXPECT_TRUE(driver_->destroy(launch->place));
    }
  }
  for (const auto& [what, values] : seen) EXPECT_EQ(values.size(), static_cast<std::size_t>(guests)) << what;
}

TEST_P(PreparedTest, WhatIsOfAnotherShapeGoesAndTheStartIsAsEver) {
  auto& launch = prepared("larger");
  const auto waiting = read_keeper_pids(launch.place.run_dir);
  ASSERT_OK(waiting);
  launch.spec.resources.memory_mib = 160;
  const auto started = driver_->start(launch);
  ASSERT_OK(started);
  EXPECT_NE(started->pid, waiting->main);
  EXPECT_FALSE(open_same_process(waiting->main, waiting->main_start));
  EXPECT_EQ(exec(launch, {"hostname"}).out, "larger\n");
}

TEST_P(PreparedTest, ThatOfAnotherDaemonAndThatHasEndedAreRemains) {
  auto& launch = prepared("lost");
  const auto waiting = read_keeper_pids(launch.place.run_dir);
  ASSERT_OK(waiting);
  QemuConfig config;
  config.agent = bin("skerry-agent");
  config.cache_dir = cache_dir_;
  config.accel = AccelChoice::kTcg;
  const auto next = make_qemu_driver(jail_, *images_, config);
  EXPECT_EQ(next->observe(launch.place)->phase, Phase::kBroken);
  EXPECT_FALSE(next->start(launch));
  const auto process = open_same_process(waiting->main, waiting->main_start);
  ASSERT_OK(process);
  ASSERT_OK(send_signal(process->get(), SIGKILL));
  // The keeper writes the end down a moment after the process is gone.
  EXPECT_EQ(await_end(launch).phase, Phase::kBroken);
  ASSERT_OK(next->destroy(launch.place));
  EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kAbsent);
  EXPECT_FALSE(sys::exists(launch.place.state_dir));
}

// A daemon killed while it takes one: it is no run until it has been told who it is.
TEST_P(PreparedTest, ATakeThatIsKilledIsNoRun) {
  int killed = 0;
  for (bool alive = false; !alive; ++killed) {
    auto& launch = prepared(cat("killed-", killed));
    alive = !start_killed(launch, killed + 1);
    const bool told_all = !sys::exists(launch.place.run_dir + "/unfinished");
    EXPECT_EQ(driver_->observe(launch.place)->phase, told_all ? Phase::kRunning : Phase::kBroken) << killed;
    if (!told_all) {
      ASSERT_OK(driver_->collect(launch.place, Kind::kApp));
      ASSERT_OK(driver_->start(launch));
    }
    EXPECT_EQ(exec(launch, {"hostname"}).out, cat("killed-", killed, "\n"));
    ASSERT_OK(driver_->destroy(launch.place));
  }
  EXPECT_GE(killed, 3);
}

TEST_P(PreparedTest, OnlyWhatCanStartFromAMemorySnapshot) {
  auto& launch = launch_of("shared", {"sleep", "1000"});
  launch.spec.mounts = {{"/etc", "/mnt", true}};
  const auto made = driver_->prepare(launch, GetParam());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::kUnsupported);
  EXPECT_FALSE(sys::exists(launch.place.state_dir));
}

INSTANTIATE_TEST_SUITE_P(Modes, PreparedTest, testing::Values(WarmMode::kParked, WarmMode::kWarmed),
                         [](const auto& each) { return std::string(to_text(each.param)); });

}  // namespace
}  // namespace skerry
