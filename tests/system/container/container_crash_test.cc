// kill -9 at any moment: of the daemon between any two steps of a start, of the keeper, of the runtime. A new daemon
// sees what is there, adopts what runs and removes the rest without a trace.
#include <gmock/gmock.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "base/keeper_protocol.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "container_victim.h"

namespace skerry::testing {

Launch victim_launch(const HostPaths& paths, const std::string& id) {
  Launch launch;
  launch.place = paths.place(id);
  launch.spec.name = launch.place.name;
  launch.spec.rootfs_path = paths.rootfs();
  launch.spec.kind = Kind::kDisposable;
  launch.spec.command = {"/bin/sh", "-c",
                         "trap 'exit 7' TERM; i=0; while true; do echo tick $((i=i+1)); sleep 0.01; done"};
  auto& network = launch.network.emplace();
  network.bridge = "skt0";
  network.ip = "10.199.7.50";
  network.gateway = "10.199.7.1";
  network.mac = "02:53:0a:c7:07:32";
  network.dns = {"192.0.2.53"};
  return launch;
}

int start_and_wait(const std::string& root, const std::string& id) {
  const HostPaths paths{root};
  // An image store of its own: the parent's is locked, and a given rootfs needs none.
  auto images = ImageStore::open({cat(root, "/victim-images"), {}});
  if (!images) return 1;
  const auto driver = make_container_driver(jail_config(paths), **images);
  std::puts("begin");
  std::fflush(stdout);
  const auto started = driver->start(victim_launch(paths, id));
  std::printf("%s\n", started ? cat("started ", started->pid).c_str() : started.error().message().c_str());
  std::fflush(stdout);
  while (true) ::pause();
}

namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kId = "00000000000000c1";

class ContainerCrash : public ContainerTest {
 protected:
  struct Victim {
    Child child;
    Fd output;
  };
  Victim spawn_victim() {
    auto pipe = sys::pipe().value();
    SpawnSpec spec;
    spec.argv = {sys::readlink("/proc/self/exe").value(), "--start-and-wait", paths_.root, kId};
    spec.fds = {{pipe.write_end.get(), 1}, {2, 2}};
    return {Child::spawn(spec).value(), std::move(pipe.read_end)};
  }
  static std::string read_line(int fd) {
    std::string line;
    char byte = 0;
    while (sys::read(fd, &byte, 1).value() == 1 && byte != '\n') line += byte;
    return line;
  }
  static void kill_victim(Victim& victim) {
    ASSERT_TRUE(victim.child.signal(SIGKILL));
    ASSERT_TRUE(victim.child.wait(kDeadline));
  }
  KeeperPids pids(const Launch& launch) { return read_keeper_pids(launch.place.run_dir).value(); }
  static void kill_and_await(pid_t pid) {
    const auto process = open_pidfd(pid).value();
    ASSERT_TRUE(send_signal(process.get(), SIGKILL));
    ASSERT_TRUE(has_ended(process.get(), kDeadline).value());
  }
};

TEST_F(ContainerCrash, ANewDaemonAdoptsWhatRuns) {
  const auto launch = victim_launch(paths_, kId);
  auto victim = spawn_victim();
  ASSERT_EQ(read_line(victim.output.get()), "begin");
  const std::string said = read_line(victim.output.get());
  ASSERT_THAT(said, HasSubstr("started "));
  kill_victim(victim);

  const auto observed = observe(launch);
  EXPECT_EQ(observed.phase, Phase::kRunning);
  EXPECT_EQ(cat("started ", observed.pid), said);
  EXPECT_EQ(exec_shell(launch, "echo $$").code, 0);
  EXPECT_TRUE(driver_->stats(launch.place));
  // The log goes on without a gap.
  const std::string log = await_log(launch, "tick 50\n");
  for (int i = 1; i <= 50; ++i) EXPECT_THAT(log, HasSubstr(cat("tick ", i, "\n")));
  ASSERT_TRUE(driver_->stop(launch.place, {20'000}));
  EXPECT_EQ(await_exit(launch).exit_code, 7);
  collect(launch);
  EXPECT_THAT(residue(), IsEmpty());
}

// The daemon is killed ever later in its start, until it gets through; each time all of it can be collected and the
// next start works.
TEST_F(ContainerCrash, AKilledStartLeavesNothingThatCannotBeCollected) {
  const auto launch = victim_launch(paths_, kId);
  int got_through = 0;
  int broken = 0;
  // Small steps at first, a tenth more each later: a start on a busy machine takes long, and must be got through.
  constexpr int kLongest = 20'000'000;
  for (int delay_us = 0; got_through < 3 && delay_us < kLongest; delay_us += std::max(700, delay_us / 10)) {
    auto victim = spawn_victim();
    ASSERT_EQ(read_line(victim.output.get()), "begin");
    pollfd poll_fd{victim.output.get(), POLLIN, 0};
    const timespec wait{delay_us / 1'000'000, delay_us % 1'000'000 * 1000L};
    const bool through = ::ppoll(&poll_fd, 1, &wait, nullptr) == 1;
    kill_victim(victim);
    const auto observed = observe(launch);
    if (through) {
      ++got_through;
      EXPECT_EQ(observed.phase, Phase::kRunning) << observed.reason;
    } else {
      EXPECT_THAT(observed.phase, AnyOf(Phase::kAbsent, Phase::kBroken, Phase::kRunning)) << observed.reason;
      broken += observed.phase == Phase::kBroken ? 1 : 0;
    }
    const auto collected = driver_->collect(launch.place, launch.spec.kind);
    ASSERT_TRUE(collected) << "after " << delay_us << " us: " << collected.error().message();
    EXPECT_EQ(observe(launch).phase, Phase::kAbsent);
    ASSERT_THAT(residue(), IsEmpty()) << "after " << delay_us << " us";
  }
  EXPECT_EQ(got_through, 3);
  EXPECT_GT(broken, 3) << "the kills did not hit the start";
}

TEST_F(ContainerCrash, AKilledKeeperIsSeenAndCollected) {
  auto launch = shell("echo up; exec sleep 1000");
  start(launch);
  await_log(launch, "up");
  kill_and_await(pids(launch).keeper);
  EXPECT_EQ(observe(launch).phase, Phase::kBroken);
  EXPECT_EQ(driver_->watch(launch.place).error().code, ErrorCode::kNotFound);
  collect(launch);
  EXPECT_THAT(residue(), IsEmpty());
}

TEST_F(ContainerCrash, AKilledKeeperWhoseProcessEndedIsAnEndWithoutACode) {
  auto launch = shell("echo up; exec sleep 1000");
  start(launch);
  await_log(launch, "up");
  const auto running = pids(launch);
  kill_and_await(running.keeper);
  kill_and_await(running.main);
  const auto observed = observe(launch);
  EXPECT_EQ(observed.phase, Phase::kExited);
  EXPECT_FALSE(observed.exit_code);
  EXPECT_THAT(observed.reason, HasSubstr("keeper"));
  collect(launch);
  EXPECT_THAT(residue(), IsEmpty());
}

TEST_F(ContainerCrash, DestroyTakesARunningOneAway) {
  auto launch = shell("trap '' TERM; echo up; while true; do sleep 1000; done");
  launch.network = attachment("10.199.7.60");
  start(launch);
  await_log(launch, "up");
  ASSERT_TRUE(driver_->destroy(launch.place));
  EXPECT_THAT(residue(), IsEmpty());
  EXPECT_FALSE(sys::exists(launch.place.state_dir));
}

// A collect that was itself cut short can be repeated: without the records, without the mounts, without the namespace.
TEST_F(ContainerCrash, ACollectCanBeRepeatedFromAnywhere) {
  for (const auto* lost : {"pid", "cgroups", "bundle", "started", "attach.sock", "keeper.log"}) {
    auto launch = shell("echo up; exec sleep 1000");
    start(launch);
    await_log(launch, "up");
    const auto running = pids(launch);
    ASSERT_TRUE(sys::remove_tree(cat(launch.place.run_dir, "/", lost)));
    const auto collected = driver_->destroy(launch.place);
    ASSERT_TRUE(collected) << lost << ": " << collected.error().message();
    ASSERT_THAT(residue(), IsEmpty()) << lost;
    // It may still be a zombie that waits for its new parent.
    const auto main = open_same_process(running.main, running.main_start);
    EXPECT_TRUE(!main || has_ended(main->get(), Duration::zero()).value()) << lost;
  }
}

}  // namespace
}  // namespace skerry::testing
