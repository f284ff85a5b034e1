// Guests that misbehave: each gives a clear answer, and the host and the other guests go on.
#include <gmock/gmock.h>

#include "microvm_host.h"

namespace skerry {
namespace {

using testing::HasSubstr;

TEST_F(MicrovmTest, APanicIsSeenAndSaid) {
  auto& launch = launch_of("panic", {"sleep", "1000"});
  ASSERT_OK(driver_->start(launch));
  ExecSpec spec;
  spec.argv = {"sh", "-c", "echo c > /proc/sysrq-trigger"};
  const auto conversation = driver_->exec(launch.place, spec);
  const auto observed = await_end(launch);
  EXPECT_EQ(observed.phase, Phase::kExited);
  EXPECT_FALSE(observed.exit_code);
  EXPECT_THAT(observed.reason, HasSubstr("panic"));
  EXPECT_THAT(read_file(launch.place.log_path() + ".console").value_or(""), HasSubstr("Kernel panic"));
}

// The workload goes, not the guest: the agent can tell of it.
TEST_F(MicrovmTest, LackOfMemoryTakesTheWorkload) {
  // Two, since the kernel refuses one piece larger than the memory; the larger one is the workload itself.
  auto& launch = launch_of("hungry", {"sh", "-c",
                                      "dd if=/dev/zero of=/dev/null bs=45M count=100000 & "
                                      "exec dd if=/dev/zero of=/dev/null bs=75M count=100000"});
  ASSERT_OK(driver_->start(launch));
  const auto observed = await_end(launch);
  EXPECT_EQ(observed.phase, Phase::kExited);
  EXPECT_EQ(observed.exit_code, 137);
  EXPECT_EQ(observed.reason, "out of memory");
}

TEST_F(MicrovmTest, AFloodOfProcessesMeetsItsLimit) {
  auto& launch = launch_of("forks", {"sleep", "1000"});
  launch.spec.resources.pids = 20;
  ASSERT_OK(driver_->start(launch));
  EXPECT_EQ(exec(launch, {"cat", "/sys/fs/cgroup/workload/pids.max"}).out, "20\n");
  const auto flooded = exec(
      launch, {"sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22; do sleep 100 & done"});
  EXPECT_NE(flooded.code, 0);
  EXPECT_THAT(flooded.err, HasSubstr("fork"));
}

TEST_F(MicrovmTest, AFloodOfOutputHoldsUpNobody) {
  auto& launch = launch_of("flood", {"sh", "-c", "while :; do cat /bin/busybox; done"});
  ASSERT_OK(driver_->start(launch));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(exec(launch, {"sh", "-c", "exit 4"}).code, 4);
  ASSERT_OK(driver_->stop(launch.place, {5000}));
  EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kExited);
}

TEST_F(MicrovmTest, ASlowReaderIsPausedNotCut) {
  auto& launch = launch_of("slow", {"sleep", "1000"});
  ASSERT_OK(driver_->start(launch));
  ExecSpec spec;
  spec.argv = {"sh", "-c", "dd if=/dev/zero bs=65536 count=1024 2>/dev/null"};
  const auto conversation = driver_->exec(launch.place, spec);
  ASSERT_OK(conversation);
  // Meanwhile the channel serves others, though nobody reads the first conversation.
  for (int i = 0; i < 3; ++i) EXPECT_EQ(exec(launch, {"true"}).code, 0);
  const auto outcome = converse(*conversation, {}, std::chrono::seconds(40));
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out.size(), 1024U * 65536U);
}

// The port's other end speaks no frames: a guest whose root writes to it breaks only its own channel.
TEST_F(MicrovmTest, MalformedFramesCloseTheChannelOnly) {
  auto& launch = launch_of("malformed", {"sleep", "1000"});
  auto& neighbour = launch_of("neighbour", {"sleep", "1000"});
  ASSERT_OK(driver_->start(launch));
  ASSERT_OK(driver_->start(neighbour));
  // The agent holds the port; the kernel lets nobody else open it.
  const auto opened = exec(launch, {"sh", "-c", "echo garbage > /dev/vport0p1"});
  EXPECT_NE(opened.code, 0);
  EXPECT_EQ(exec(neighbour, {"true"}).code, 0);
  ASSERT_OK(driver_->stop(launch.place, {0}));
  EXPECT_EQ(exec(neighbour, {"true"}).code, 0);
}

TEST_F(MicrovmTest, KillingTheAgentEndsTheGuest) {
  auto& launch = launch_of("agentless", {"sleep", "1000"});
  ASSERT_OK(driver_->start(launch));
  // PID 1 cannot be killed from inside (pid_namespaces(7)): the signal is ignored.
  EXPECT_EQ(exec(launch, {"sh", "-c", "kill -9 1; exit 0"}).code, 0);
  EXPECT_EQ(exec(launch, {"true"}).code, 0);
  ExecSpec spec;
  spec.argv = {"sh", "-c", "echo o > /proc/sysrq-trigger"};
  const auto conversation = driver_->exec(launch.place, spec);
  EXPECT_EQ(await_end(launch).phase, Phase::kExited);
}

class ImpatientTest : public MicrovmTest {
 protected:
  void change(QemuConfig& config) override { config.boot_timeout = std::chrono::milliseconds(50); }
};

TEST_F(ImpatientTest, AGuestThatNeverReportsIsEndedAndCleanedUp) {
  auto& launch = launch_of("silent", {"sleep", "1000"});
  const auto started = driver_->start(launch);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kAbsent);
  EXPECT_FALSE(sys::exists(launch.place.run_dir));
}

class WrongKernelTest : public MicrovmTest {
 protected:
  void change(QemuConfig& config) override {
    config.kernel = *temp_ / "vmlinuz-wrong";
    ASSERT_OK(write_file_atomic(config.kernel, "no kernel", 0644));
  }
};

TEST_F(WrongKernelTest, IsRefusedBeforeAnythingStarts) {
  auto& launch = launch_of("kernel", {"sleep", "1000"});
  const auto started = driver_->start(launch);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(started.error().message(), HasSubstr("not a Linux kernel"));
  EXPECT_FALSE(driver_->availability().available);
}

}  // namespace
}  // namespace skerry
