// The life of one run: begin, output, end, and the ways it can fail to begin.
#include <gmock/gmock.h>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "container_fixture.h"

namespace skerry::testing {
namespace {

using ::testing::HasSubstr;

class ContainerRun : public ContainerTest {
 protected:
  // start() must fail with that code, say that, and leave nothing.
  void expect_refused(const Launch& launch, ErrorCode code, std::string_view says) {
    const auto started = driver_->start(launch);
    ASSERT_FALSE(started) << says;
    EXPECT_EQ(started.error().code, code) << started.error().message();
    EXPECT_THAT(started.error().message(), HasSubstr(std::string(says)));
    EXPECT_EQ(observe(launch).phase, Phase::kAbsent);
    EXPECT_THAT(residue(), ::testing::IsEmpty());
  }
};

TEST_F(ContainerRun, RunsToItsEnd) {
  const auto launch = shell("echo out; echo err >&2; exit 3");
  EXPECT_EQ(observe(launch).phase, Phase::kAbsent);
  const auto started = start(launch);
  EXPECT_GT(started.pid, 1);
  const auto observed = await_exit(launch);
  EXPECT_EQ(observed.exit_code, 3);
  EXPECT_THAT(read_log(launch), ::testing::AllOf(HasSubstr("out\n"), HasSubstr("err\n")));
  collect(launch);
  collect(launch);
  EXPECT_THAT(residue(), ::testing::IsEmpty());
}

TEST_F(ContainerRun, IsSeenWhileItRuns) {
  const auto launch = shell("echo up; exec sleep 1000");
  const auto started = start(launch);
  await_log(launch, "up");
  const auto observed = observe(launch);
  EXPECT_EQ(observed.phase, Phase::kRunning);
  EXPECT_EQ(observed.pid, started.pid);
  EXPECT_EQ(driver_->start(launch).error().code, ErrorCode::kConflict);
  EXPECT_EQ(observe(launch).phase, Phase::kRunning) << "a second start must not harm the first";
  ASSERT_TRUE(driver_->destroy(launch.place));
  EXPECT_FALSE(sys::exists(launch.place.state_dir));
}

TEST_F(ContainerRun, DiesBySignal) {
  const auto launch = shell("echo up; sleep 1000 & wait");
  start(launch);
  await_log(launch, "up");
  ASSERT_TRUE(driver_->signal(launch.place, 9));
  EXPECT_EQ(await_exit(launch).exit_code, 137);
  EXPECT_EQ(driver_->signal(launch.place, 9).error().code, ErrorCode::kConflict);
}

TEST_F(ContainerRun, StopAsksFirst) {
  const auto launch = shell("trap 'echo bye; exit 5' TERM; echo up; while true; do sleep 0.05; done");
  start(launch);
  await_log(launch, "up");
  ASSERT_TRUE(driver_->stop(launch.place, {20'000}));
  EXPECT_EQ(await_exit(launch).exit_code, 5);
  EXPECT_THAT(read_log(launch), HasSubstr("bye"));
  EXPECT_TRUE(driver_->stop(launch.place, {20'000})) << "not running is success";
}

TEST_F(ContainerRun, StopUsesForceInTheEnd) {
  const auto launch = shell("trap '' TERM; echo up; while true; do sleep 1000; done");
  start(launch);
  await_log(launch, "up");
  ASSERT_TRUE(driver_->stop(launch.place, {100}));
  EXPECT_EQ(await_exit(launch).exit_code, 137);
}

TEST_F(ContainerRun, PausesAndResumes) {
  const auto launch = shell("echo up; while true; do echo tick; sleep 0.01; done");
  start(launch);
  await_log(launch, "tick");
  ASSERT_TRUE(driver_->pause(launch.place));
  EXPECT_EQ(observe(launch).phase, Phase::kPaused);
  ExecSpec spec;
  spec.argv = {"/bin/true"};
  EXPECT_EQ(driver_->exec(launch.place, spec).error().code, ErrorCode::kConflict);
  ASSERT_TRUE(driver_->resume(launch.place));
  EXPECT_EQ(observe(launch).phase, Phase::kRunning);
  EXPECT_EQ(exec(launch, spec).code, 0);
}

TEST_F(ContainerRun, StopsWhilePaused) {
  for (const std::uint32_t grace_ms : {0U, 20'000U}) {
    const auto launch = shell("trap 'exit 6' TERM; echo up; while true; do sleep 0.05; done");
    start(launch);
    await_log(launch, "up");
    ASSERT_TRUE(driver_->pause(launch.place));
    ASSERT_TRUE(driver_->stop(launch.place, {grace_ms}));
    EXPECT_EQ(await_exit(launch).exit_code, grace_ms == 0 ? 137 : 6);
    ASSERT_TRUE(driver_->destroy(launch.place));
  }
}

TEST_F(ContainerRun, GivesTheStdioFromTheFirstByte) {
  for (int i = 0; i < 10; ++i) {
    auto launch = shell("cat; echo done");
    launch.attach = true;
    launch.spec.stdin_open = true;
    auto started = start(launch);
    ASSERT_TRUE(started.stdio);
    const auto outcome = converse(*started.stdio, "hello\n");
    EXPECT_EQ(outcome.out, "hello\ndone\n");
    EXPECT_EQ(outcome.code, 0);
    await_exit(launch);
    collect(launch);
  }
}

TEST_F(ContainerRun, HasATerminal) {
  auto launch = shell("stty size; test -t 0 && test -t 1 && echo tty; echo $TERM");
  launch.spec.terminal = true;
  EXPECT_THAT(run_to_end(launch), ::testing::AllOf(HasSubstr("tty"), HasSubstr("xterm")));
}

TEST_F(ContainerRun, AppsKeepWhatTheyWroteAndDisposablesDoNot) {
  auto image_like = shell("echo run >> /root/runs; wc -l < /root/runs");
  EXPECT_EQ(run_to_end(image_like), "1\n");
  EXPECT_THAT(run_to_end(image_like), HasSubstr("1\n"));
  EXPECT_FALSE(sys::exists(paths_.rootfs() + "/root/runs"));
}

TEST_F(ContainerRun, TemplatesCannotBeWritten) {
  auto launch = shell("touch /root/x");
  launch.spec.kind = Kind::kTemplate;
  EXPECT_THAT(run_to_end(launch, 1), HasSubstr("Read-only file system"));
}

// ── what cannot begin ──

TEST_F(ContainerRun, CommandNotFound) {
  auto launch = shell("");
  launch.spec.command = {"/bin/nosuchcommand"};
  expect_refused(launch, ErrorCode::kCommandNotFound, "nosuchcommand");
  launch.spec.command = {"nosuchcommand"};
  expect_refused(launch, ErrorCode::kCommandNotFound, "nosuchcommand");
}

TEST_F(ContainerRun, CommandNotExecutable) {
  auto launch = shell("");
  launch.spec.command = {"/etc/passwd"};
  expect_refused(launch, ErrorCode::kNotExecutable, "passwd");
  launch.spec.command = {"/etc"};
  expect_refused(launch, ErrorCode::kNotExecutable, "/etc");
}

TEST_F(ContainerRun, UnknownUser) {
  auto launch = shell("true");
  launch.spec.user = "nobody-of-that-name";
  expect_refused(launch, ErrorCode::kNotFound, "nobody-of-that-name");
}

TEST_F(ContainerRun, MissingBindSource) {
  auto launch = shell("true");
  launch.spec.mounts = {{"/nonexistent/source", "/mnt", false}};
  expect_refused(launch, ErrorCode::kNotFound, "mounts[0].source");
}

TEST_F(ContainerRun, MissingBridge) {
  auto launch = shell("true");
  launch.network = attachment("10.199.7.9");
  launch.network->bridge = "nosuchbridge";
  expect_refused(launch, ErrorCode::kNotFound, "nosuchbridge");
}

TEST_F(ContainerRun, WrongSeccompProfile) {
  auto launch = shell("true");
  launch.spec.security.seccomp_profile = paths_.root + "/profile.json";
  expect_refused(launch, ErrorCode::kNotFound, "seccomp_profile");
  ASSERT_TRUE(write_file_atomic(launch.spec.security.seccomp_profile, "{\"defaultAction\":\"NO\"}", 0644));
  expect_refused(launch, ErrorCode::kInvalidArgument, "/defaultAction");
}

TEST_F(ContainerRun, NothingToCollectIsFine) {
  const auto launch = shell("true");
  ASSERT_TRUE(driver_->collect(launch.place, Kind::kApp));
  ASSERT_TRUE(driver_->stop(launch.place, {1000}));
  ASSERT_TRUE(driver_->destroy(launch.place));
  EXPECT_EQ(driver_->watch(launch.place).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace skerry::testing
