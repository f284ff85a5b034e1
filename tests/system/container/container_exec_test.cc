// Further processes in a running container, and what can be learnt of it.
#include <gmock/gmock.h>

#include "base/text.h"
#include "container_fixture.h"

namespace skerry::testing {
namespace {

using ::testing::HasSubstr;

class ContainerExec : public ContainerTest {
 protected:
  void SetUp() override {
    ContainerTest::SetUp();
    if (!driver_) return;
    launch_ = shell("echo up; exec sleep 1000");
    launch_.spec.env = {{"OWN", "1"}};
    start(launch_);
    await_log(launch_, "up");
  }
  static ExecSpec command(std::vector<std::string> argv) {
    ExecSpec spec;
    spec.argv = std::move(argv);
    return spec;
  }
  Launch launch_;
};

TEST_F(ContainerExec, GivesBothStreamsAndTheCode) {
  const auto outcome = exec_shell(launch_, "echo out; echo err >&2; exit 42");
  EXPECT_EQ(outcome.out, "out\n");
  EXPECT_EQ(outcome.err, "err\n");
  EXPECT_EQ(outcome.code, 42);
}

TEST_F(ContainerExec, TakesInputAndItsEnd) {
  EXPECT_EQ(exec(launch_, command({"/bin/cat"}), "a\nb\n").out, "a\nb\n");
  const std::string much(1U << 20U, 'x');
  EXPECT_EQ(exec(launch_, command({"/bin/wc", "-c"}), much.substr(0, kMaxFramePayload)).out,
            cat(kMaxFramePayload, "\n"));
}

TEST_F(ContainerExec, HasTheEnvironmentOfTheContainerAndItsOwn) {
  auto spec = command({"/bin/env"});
  spec.env = {{"MORE", "2"}, {"PATH", "/bin"}};
  const auto out = exec(launch_, spec).out;
  for (const auto* line : {"OWN=1\n", "MORE=2\n", "PATH=/bin\n", "HOSTNAME="}) EXPECT_THAT(out, HasSubstr(line));
}

TEST_F(ContainerExec, UserAndDirectory) {
  auto spec = command({"/bin/sh", "-c", "id; pwd; grep CapEff /proc/self/status"});
  spec.argv[2] = "id; pwd; busybox grep CapEff /proc/self/status; echo $HOME";
  spec.user = "app";
  spec.workdir = "/tmp";
  const auto out = exec(launch_, spec).out;
  for (const auto* part :
       {"uid=1000(app) gid=1000(app)", "29(audio)", "/tmp\n", "CapEff:\t0000000000000000", "/home\n"}) {
    EXPECT_THAT(out, HasSubstr(part));
  }
  spec.user = "nosuchuser";
  EXPECT_EQ(driver_->exec(launch_.place, spec).error().code, ErrorCode::kNotFound);
}

TEST_F(ContainerExec, CommandsThatCannotRun) {
  EXPECT_EQ(driver_->exec(launch_.place, command({"nosuchcommand"})).error().code, ErrorCode::kCommandNotFound);
  EXPECT_EQ(driver_->exec(launch_.place, command({"/bin/nosuch"})).error().code, ErrorCode::kCommandNotFound);
  EXPECT_EQ(driver_->exec(launch_.place, command({"/etc/passwd"})).error().code, ErrorCode::kNotExecutable);
  EXPECT_EQ(driver_->exec(launch_.place, command({})).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(observe(launch_).phase, Phase::kRunning);
}

TEST_F(ContainerExec, ATerminalOfTheSizeAskedFor) {
  auto spec = command({"/bin/sh", "-c", "stty size; test -t 0 && echo tty"});
  spec.terminal = true;
  spec.size = {132, 43};
  EXPECT_THAT(exec(launch_, spec).out, ::testing::AllOf(HasSubstr("43 132"), HasSubstr("tty")));
}

TEST_F(ContainerExec, ManyAtOnce) {
  std::vector<Conversation> conversations;
  for (int i = 0; i < 8; ++i) {
    conversations.push_back(driver_->exec(launch_.place, command({"/bin/cat"})).value());
  }
  for (std::size_t i = 0; i < conversations.size(); ++i) {
    EXPECT_EQ(converse(conversations[i], cat("number ", i)).out, cat("number ", i));
  }
}

TEST_F(ContainerExec, StatisticsTellOfTheContainer) {
  exec_shell(launch_, "i=0; while test $i -lt 20000; do i=$((i+1)); done");
  const auto sample = driver_->stats(launch_.place);
  ASSERT_TRUE(sample) << sample.error().message();
  EXPECT_GT(sample->cpu_ns.value_or(0), 1'000'000U);
  EXPECT_GT(sample->memory_bytes.value_or(0), 0U);
  EXPECT_LT(sample->memory_bytes.value_or(0), 512U << 20U);
  EXPECT_GE(sample->pids.value_or(0), 1U);
  EXPECT_LE(sample->pids.value_or(0), 20U);
}

TEST_F(ContainerExec, NotWithoutARun) {
  ASSERT_TRUE(driver_->stop(launch_.place, {0}));
  EXPECT_EQ(driver_->exec(launch_.place, command({"/bin/true"})).error().code, ErrorCode::kConflict);
  EXPECT_EQ(driver_->attach(launch_.place).error().code, ErrorCode::kConflict);
  EXPECT_EQ(driver_->stats(launch_.place).error().code, ErrorCode::kConflict);
}

}  // namespace
}  // namespace skerry::testing
