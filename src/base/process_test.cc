#include "base/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"
#include "base/text.h"

namespace skerry {
namespace {

constexpr Duration kDeadline = std::chrono::seconds(20);

SpawnSpec shell(std::string script) {
  SpawnSpec spec;
  spec.argv = {"/bin/sh", "-c", std::move(script)};
  return spec;
}
CommandOutput run(const SpawnSpec& spec) { return run_command(spec, kDeadline).value(); }

TEST(Process, ReportsCodeAndSignal) {
  EXPECT_EQ(run(shell("exit 3")).status.code, 3);
  const auto killed = run(shell("kill -TERM $$")).status;
  EXPECT_EQ(killed.signal, SIGTERM);
  EXPECT_EQ(killed.shell_code(), 143);
  EXPECT_EQ(killed.describe(), "signal 15 (TERM)");
  EXPECT_EQ((ExitStatus{1, std::nullopt}.describe()), "exit code 1");
}

TEST(Process, CollectsBothOutputsUpToTheLimit) {
  const auto output = run(shell("echo out; echo err >&2"));
  EXPECT_EQ(output.out, "out\n");
  EXPECT_EQ(output.err, "err\n");
  const auto cut = run_command(shell("head -c 100000 /dev/zero"), kDeadline, 1000).value();
  EXPECT_EQ(cut.out.size(), 1000U);
  EXPECT_TRUE(cut.status.success());
}

TEST(Process, TellsWhyAProgramCannotRun) {
  TempDir dir = TempDir::create("proc").value();
  ASSERT_TRUE(write_file_atomic(dir / "plain", "text", 0644));
  ASSERT_TRUE(write_file_atomic(dir / "broken",
                                "\x7f"
                                "ELF?",
                                0755));
  const auto code = [](std::string program) {
    SpawnSpec spec;
    spec.argv = {std::move(program)};
    return Child::spawn(spec).error().code;
  };
  EXPECT_EQ(code("/nonexistent/program"), ErrorCode::kCommandNotFound);
  EXPECT_EQ(code("skerry-no-such-program"), ErrorCode::kCommandNotFound);
  EXPECT_EQ(code(dir / "plain"), ErrorCode::kNotExecutable);
  EXPECT_EQ(Child::spawn(SpawnSpec{}).error().code, ErrorCode::kInvalidArgument);
  SpawnSpec elsewhere = shell("true");
  elsewhere.working_directory = "/nonexistent";
  EXPECT_EQ(Child::spawn(elsewhere).error().step, "chdir /bin/sh");
}

TEST(Process, GivesTheChildOnlyWhatIsNamed) {
  const Fd leak(::open("/dev/null", O_RDONLY));  // NOLINT: without O_CLOEXEC on purpose
  ASSERT_GE(leak.get(), 3);
  EXPECT_EQ(run(shell("ls /proc/self/fd | wc -w")).out, "4\n");  // 0, 1, 2 and ls's own directory
  auto spec = shell("env");
  spec.env = std::vector<std::string>{"ONLY=this", "PATH=/bin:/usr/bin"};
  const auto env = run(spec).out;
  EXPECT_NE(env.find("ONLY=this"), std::string::npos);
  EXPECT_EQ(env.find("HOME="), std::string::npos);
}

TEST(Process, PutsDescriptorsOnTheirNumbersWhateverTheyWere) {
  auto first = sys::pipe().value();
  auto second = sys::pipe().value();
  // Each one's target is the other's source: a naive dup2 would lose one.
  auto spec = shell(cat("echo one >&", second.write_end.get(), "; echo two >&", first.write_end.get()));
  spec.fds = {{first.write_end.get(), second.write_end.get()}, {second.write_end.get(), first.write_end.get()}};
  Child child = Child::spawn(spec).value();
  EXPECT_TRUE(child.wait(kDeadline)->success());
  first.write_end.reset();
  second.write_end.reset();
  EXPECT_EQ(sys::read_to_end(first.read_end.get(), 100).value(), "one\n");
  EXPECT_EQ(sys::read_to_end(second.read_end.get(), 100).value(), "two\n");
}

// Every signal, also 32 and 33, which glibc's sigaction(2) refuses to touch.
void ignore_by_the_kernel(int number) {
  struct KernelAction {
    void (*handler)(int) = SIG_IGN;
    unsigned long flags = 0;
    void* restorer = nullptr;
    unsigned long mask = 0;
  } action;
  ASSERT_EQ(::syscall(SYS_rt_sigaction, number, &action, nullptr, sizeof(action.mask)), 0);
}

TEST(Process, ResetsSignalsInTheChild) {
  ignore_by_the_kernel(32);
  sigset_t blocked;
  sigset_t old;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &blocked, &old);
  const auto ignored = std::signal(SIGPIPE, SIG_IGN);
  const auto output = run(shell("grep -E 'SigBlk|SigIgn' /proc/self/status"));
  std::signal(SIGPIPE, ignored);
  ::sigprocmask(SIG_SETMASK, &old, nullptr);
  EXPECT_EQ(output.out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST(Process, ADeadlineEndsACommand) {
  const auto output = run_command(shell("sleep 60"), std::chrono::milliseconds(50));
  EXPECT_EQ(output.error().code, ErrorCode::kDeadlineExceeded);
}

TEST(Process, WaitingHasADeadlineAndCanBeRepeated) {
  Child child = Child::spawn(shell("sleep 60")).value();
  EXPECT_EQ(child.wait(std::chrono::milliseconds(10)).error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_TRUE(child.signal(SIGKILL));
  EXPECT_EQ(child.wait(kDeadline)->signal, SIGKILL);
  EXPECT_EQ(child.wait()->signal, SIGKILL);
  EXPECT_TRUE(child.signal(SIGKILL));  // ended: no error, nobody hit
}

TEST(Process, APidMeansSomethingOnlyWithItsStartTime) {
  const auto start = process_start_time(::getpid()).value();
  EXPECT_TRUE(open_same_process(::getpid(), start));
  EXPECT_EQ(open_same_process(::getpid(), start + 1).error().code, ErrorCode::kNotFound);
  Child child = Child::spawn(shell("exit 0")).value();
  ASSERT_TRUE(child.wait(kDeadline));
  EXPECT_EQ(open_same_process(child.pid(), start).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(open_pidfd(child.pid()).error().code, ErrorCode::kNotFound);
}

TEST(Process, StartTimeSurvivesAHostileName) {
  auto spec = shell("printf 'a) R 1 2 (b' >/proc/self/comm; read line");
  auto input = sys::pipe().value();
  spec.fds = {{input.read_end.get(), 0}};
  Child child = Child::spawn(spec).value();
  std::string comm;
  for (int i = 0; i < 2000 && !comm.starts_with("a)"); ++i) {
    comm = read_file(cat("/proc/", child.pid(), "/comm")).value_or("");
    ::usleep(1000);
  }
  EXPECT_GT(process_start_time(child.pid()).value(), process_start_time(::getpid()).value() - 1);
  input.write_end.reset();
  EXPECT_TRUE(child.wait(kDeadline));
}

}  // namespace
}  // namespace skerry
