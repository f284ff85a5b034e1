// The real skerry-keeper program over a stand-in for the OCI runtime: a shell script that understands `create` and
// `exec` and runs a shell script of the test without any isolation. The real runtimes are in tests/system/.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/cri_log.h"
#include "base/file_io.h"
#include "base/keeper_protocol.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "keeper/keeper_testing.h"

namespace skerry::keeper {
namespace {

using ::testing::HasSubstr;

// SHA-256 of 5,000,000 times 'x'.
constexpr const char* kSumOfAllX = "03a7bd518f3e4ecac11f2e77f7437928ba5d80ac0b2b26a523d90e7628bfd59b";

constexpr std::string_view kRuntime = R"(#!/bin/sh
bundle= pidfile= log= process=
while [ $# -gt 0 ]; do
  case $1 in
    --bundle) bundle=$2; shift ;;
    --pid-file) pidfile=$2; shift ;;
    --log) log=$2; shift ;;
    --process) process=$2; shift ;;
    --log-format|--preserve-fds) shift ;;
  esac
  shift
done
script=${process:-$bundle/command}
if [ -e "$script.error" ]; then cat "$script.error" >"$log"; exit 1; fi
# A background command gets /dev/null as input unless told otherwise (POSIX shell, 2.9.3.1).
exec 9<&0
# As a real runtime's does, the process begins when the runtime has gone: a shell would reap one that ends before.
setsid sh -c 'while [ -d "/proc/$1" ]; do sleep 0.001; done; . "$2"' sh $$ "$script" <&9 9<&- &
echo $! >"$pidfile"
)";

class KeeperRunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);
    write(dir_ / "runtime", kRuntime);
    ASSERT_TRUE(sys::chmod(dir_ / "runtime", 0755));
    ASSERT_TRUE(sys::mkdir(dir_ / "bundle", 0755));
    spec_.runtime = dir_ / "runtime";
    spec_.bundle = dir_ / "bundle";
    spec_.id = "e1";
  }

  static void write(const std::string& path, std::string_view text) { std::ofstream(path, std::ios::binary) << text; }
  void command(std::string_view script) { write(dir_ / "bundle/command", script); }
  // The script waits here until the test touches RUN/go: the tests attach before output begins.
  static std::string wait_for_go(const TempDir& dir) {
    return cat("until [ -e ", dir / "go", " ]; do sleep 0.01; done\n");
  }
  void go() { write(dir_ / "go", ""); }

  TempDir dir_ = TempDir::create("keeper").value();
  KeeperProcess keeper_{SKERRY_KEEPER_PROGRAM, dir_.path()};
  KeeperRunSpec& spec_ = keeper_.spec;
};

TEST_F(KeeperRunTest, LogsOutputAndRecordsTheExitCode) {
  command("echo out; echo err >&2; printf end; exit 3");
  ASSERT_TRUE(keeper_.start());
  const auto exit = keeper_.wait_exit();
  EXPECT_EQ(exit.status.code, 3);
  EXPECT_EQ(exit.shell_code(), 3);
  const auto log = read_file(spec_.log_path).value();
  EXPECT_THAT(log, HasSubstr(" stdout F out\n"));
  EXPECT_THAT(log, HasSubstr(" stderr F err\n"));
  EXPECT_THAT(log, HasSubstr(" stdout P end\n"));
  EXPECT_FALSE(sys::exists(KeeperPaths{spec_.run_dir}.attach_socket()));
}

TEST_F(KeeperRunTest, RecordsTheSignalThatEndedTheProcess) {
  command("kill -KILL $$");
  ASSERT_TRUE(keeper_.start());
  const auto exit = keeper_.wait_exit();
  EXPECT_EQ(exit.status.signal, SIGKILL);
  EXPECT_EQ(exit.shell_code(), 137);
}

TEST_F(KeeperRunTest, ReportsTheRuntimesError) {
  command("true");
  write(dir_ / "bundle/command.error", R"({"level":"error","msg":"no such rootfs"})");
  const auto main = keeper_.start();
  ASSERT_FALSE(main);
  EXPECT_THAT(main.error().message(), HasSubstr("no such rootfs"));
}

TEST_F(KeeperRunTest, ReportsAMissingRuntimeAndAMissingRunDirectory) {
  command("true");
  spec_.runtime = "/nonexistent/runtime";
  auto main = keeper_.start();
  ASSERT_FALSE(main);
  EXPECT_EQ(main.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(main.error().message(), HasSubstr("/nonexistent/runtime"));
  spec_.run_dir = "/nonexistent/run";
  main = keeper_.start();
  ASSERT_FALSE(main);
  EXPECT_THAT(main.error().message(), HasSubstr("/nonexistent/run"));
}

TEST_F(KeeperRunTest, SurvivesTheKillOfItsStarter) {
  command(wait_for_go(dir_) + "echo alive; exit 5");
  // A whole process stands for skerryd: it starts the keeper and is killed with everything of its process group.
  const pid_t daemon = ::fork();
  if (daemon == 0) {
    ::setpgid(0, 0);
    const bool started = keeper_.start().has_value();
    write(dir_ / "started", started ? "yes" : "no");
    while (true) ::pause();
  }
  ASSERT_TRUE(eventually([&] { return read_file(dir_ / "started").value_or("") == "yes"; }));
  ASSERT_EQ(::kill(-daemon, SIGKILL), 0);
  ::waitpid(daemon, nullptr, 0);

  const auto pids = read_keeper_pids(spec_.run_dir).value();
  const auto main = open_same_process(pids.main, pids.main_start);
  ASSERT_TRUE(main) << "the main process died with the starter";
  keeper_.adopt();
  auto client = keeper_.attach();
  go();
  int code = -1;
  EXPECT_EQ(client.collect(FrameKind::kStdout, &code), "alive\n");
  EXPECT_EQ(code, 5);
  EXPECT_EQ(keeper_.wait_exit().status.code, 5);
  EXPECT_EQ(KeeperProcess::log_text(spec_.log_path), "alive\n");
}

TEST_F(KeeperRunTest, SeveralClientsAttachAndDetach) {
  command("cat; echo done");
  ASSERT_TRUE(keeper_.start());
  auto a = keeper_.attach();
  auto b = keeper_.attach();
  a.send(FrameKind::kStdin, 0, "from a\n");
  EXPECT_EQ(a.next(FrameKind::kStdout)->payload, "from a\n");
  EXPECT_EQ(b.next(FrameKind::kStdout)->payload, "from a\n");
  a.close();
  b.send(FrameKind::kStdin, 0, "from b\n");
  EXPECT_EQ(b.next(FrameKind::kStdout)->payload, "from b\n");
  auto late = keeper_.attach();
  b.send(FrameKind::kStdinEof);
  int code = -1;
  EXPECT_EQ(late.collect(FrameKind::kStdout, &code), "done\n");
  EXPECT_EQ(code, 0);
  EXPECT_EQ(KeeperProcess::log_text(spec_.log_path), "from a\nfrom b\ndone\n");
}

TEST_F(KeeperRunTest, PassesSignalsToTheProcess) {
  command("trap 'echo got; exit 4' USR1; echo ready; while :; do sleep 0.01; done");
  ASSERT_TRUE(keeper_.start());
  auto client = keeper_.attach();
  ASSERT_TRUE(eventually([&] { return KeeperProcess::log_text(spec_.log_path) == "ready\n"; }));
  client.send(FrameKind::kSignal, 0, encode_u32(SIGUSR1));
  EXPECT_EQ(keeper_.wait_exit().status.code, 4);
}

TEST_F(KeeperRunTest, MovesALotOfInputThroughASlowReader) {
  command("sleep 0.2; sha256sum | cut -c1-64");
  ASSERT_TRUE(keeper_.start());
  auto client = keeper_.attach();
  const std::string chunk(100'000, 'x');
  for (int i = 0; i < 50; ++i) client.send(FrameKind::kStdin, 0, chunk);
  client.send(FrameKind::kStdinEof);
  EXPECT_THAT(client.collect(FrameKind::kStdout), HasSubstr(kSumOfAllX));
}

TEST_F(KeeperRunTest, AFloodRotatesTheLogAndLosesNoLine) {
  spec_.log_max_bytes = 200'000;
  spec_.log_files = 100;
  command("seq 1 100000");
  ASSERT_TRUE(keeper_.start());
  keeper_.wait_exit();
  std::string got;
  for (int number = 99; number >= 0; --number)
    got += KeeperProcess::log_text(number == 0 ? spec_.log_path : cat(spec_.log_path, ".", number));
  std::string want;
  for (int i = 1; i <= 100'000; ++i) want += cat(i, "\n");
  EXPECT_EQ(got.size(), want.size());
  EXPECT_TRUE(got == want);
  EXPECT_TRUE(sys::exists(spec_.log_path + ".5"));
}

TEST_F(KeeperRunTest, AClientThatDoesNotReadDoesNotStopTheProcess) {
  command(wait_for_go(dir_) + "seq 1 1000000");
  ASSERT_TRUE(keeper_.start());
  auto stuck = keeper_.attach();
  go();
  EXPECT_EQ(keeper_.wait_exit().status.code, 0);
}

TEST_F(KeeperRunTest, DoesNotWaitForEverForOutputHeldOpenByOthers) {
  command("sleep 30 & echo $!; exit 0");
  const auto begun = keeper_.start();
  ASSERT_TRUE(begun) << begun.error().message();
  EXPECT_EQ(keeper_.wait_exit().status.code, 0);
  ::kill(parse_int<pid_t>(trim(KeeperProcess::log_text(spec_.log_path)), "pid").value(), SIGKILL);
}

TEST_F(KeeperRunTest, IgnoresSigtermWhileTheProcessRuns) {
  command(wait_for_go(dir_) + "echo finished");
  ASSERT_TRUE(keeper_.start());
  ASSERT_TRUE(send_signal(keeper_.keeper_pidfd(), SIGTERM));
  go();
  EXPECT_EQ(keeper_.wait_exit().status.code, 0);
  EXPECT_EQ(KeeperProcess::log_text(spec_.log_path), "finished\n");
}

TEST_F(KeeperRunTest, AFramedChannelCarriesTheWorkload) {
  // The "VMM": what its guest's agent says comes from a file, what the agent hears goes into one.
  std::string said = encode_frame(FrameKind::kReady, 0, "{}");
  said += encode_frame(FrameKind::kStdout, 0, "from the guest\n");
  said += encode_frame(FrameKind::kExit, 0, encode_u32(42));
  write(dir_ / "said", said);
  command(cat("echo vmm noise; cat ", dir_ / "said", " >&3; head -c 14 <&3 >", dir_ / "heard", "; exit 0"));
  spec_.channels = {{"agent", 3, ChannelMode::kFramed}};
  ASSERT_TRUE(keeper_.start());
  auto client = keeper_.attach();
  client.send(FrameKind::kStdin, 0, "hi");
  const auto exit = keeper_.wait_exit();
  EXPECT_EQ(exit.status.code, 0);
  EXPECT_EQ(exit.workload_code, 42);
  EXPECT_EQ(exit.shell_code(), 42);
  EXPECT_EQ(KeeperProcess::log_text(spec_.log_path), "from the guest\n");
  EXPECT_EQ(KeeperProcess::log_text(spec_.log_path + ".vmm"), "vmm noise\n");
  EXPECT_EQ(read_file(dir_ / "heard").value(), encode_frame(FrameKind::kStdin, 0, "hi"));
}

// A VMM that carries its guest's connection to a socket with a name. Its guest's end is the end of it.
TEST_F(KeeperRunTest, AGuestComesByASocketWithAName) {
  std::string said = encode_frame(FrameKind::kReady, 0, "{}");
  said += encode_frame(FrameKind::kStdout, 0, cat(std::string(200'000, 'x'), "\n"));
  said += encode_frame(FrameKind::kExit, 0, encode_u32(42));
  write(dir_ / "said", said);
  write(dir_ / "vmm.py", cat("import signal, socket\n"
                             "guest = socket.socket(socket.AF_UNIX)\n"
                             "guest.connect('",
                             dir_ / "guest.sock", "')\n",
                             "late = socket.socket(socket.AF_UNIX)\n"
                             "late.connect('",
                             dir_ / "guest.sock", "')\n",
                             "assert late.recv(1) == b''\n"
                             "guest.sendall(open('",
                             dir_ / "said", "', 'rb').read())\n", "open('", dir_ / "heard",
                             "', 'wb').write(guest.recv(14, socket.MSG_WAITALL))\n",
                             "guest.close()\n"
                             "signal.pause()\n"));
  command(cat("exec python3 ", dir_ / "vmm.py"));
  spec_.channels = {{"agent", 3, ChannelMode::kFramed}};
  spec_.guest_socket = dir_ / "guest.sock";
  ASSERT_TRUE(keeper_.start());
  auto client = keeper_.attach();
  client.send(FrameKind::kStdin, 0, "hi");
  const auto exit = keeper_.wait_exit();
  EXPECT_EQ(exit.status.signal, SIGTERM);
  EXPECT_EQ(exit.shell_code(), 42);
  EXPECT_EQ(KeeperProcess::log_text(spec_.log_path), cat(std::string(200'000, 'x'), "\n"));
  EXPECT_EQ(read_file(dir_ / "heard").value(), encode_frame(FrameKind::kStdin, 0, "hi"));
}

// What it cannot live without ends: so does it, and the reason is on record.
TEST_F(KeeperRunTest, EndsWithItsCompanion) {
  SpawnSpec server;
  server.argv = {"/bin/sleep", "1000"};
  auto companion = Child::spawn(server).value();
  spec_.companion = KeeperCompanion{"its server", companion.pid(), process_start_time(companion.pid()).value()};
  command("exec sleep 1000");
  ASSERT_TRUE(keeper_.start());
  ASSERT_TRUE(companion.signal(SIGKILL));
  const auto exit = keeper_.wait_exit();
  EXPECT_EQ(exit.status.signal, SIGKILL);
  EXPECT_EQ(exit.note, "its server ended");
}

TEST_F(KeeperRunTest, ACompanionThatHasGoneAlreadyIsNoneToLiveWith) {
  spec_.companion = KeeperCompanion{"its server", ::getpid(), 1};
  command("exec sleep 1000");
  ASSERT_TRUE(keeper_.start());
  EXPECT_EQ(keeper_.wait_exit().note, "its server ended");
}

TEST_F(KeeperRunTest, AVmmThatOutlivesItsGuestIsKilled) {
  write(dir_ / "vmm.py", cat("import signal, socket\n"
                             "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                             "socket.socket(socket.AF_UNIX).connect('",
                             dir_ / "guest.sock", "')\n", "signal.pause()\n"));
  command(cat("exec python3 ", dir_ / "vmm.py"));
  spec_.channels = {{"agent", 3, ChannelMode::kFramed}};
  spec_.guest_socket = dir_ / "guest.sock";
  ASSERT_TRUE(keeper_.start());
  EXPECT_EQ(keeper_.wait_exit().status.signal, SIGKILL);
}

TEST_F(KeeperRunTest, AGuestThatVanishesIsNoSuccess) {
  command(wait_for_go(dir_) + "exit 0");
  spec_.channels = {{"agent", 3, ChannelMode::kFramed}};
  ASSERT_TRUE(keeper_.start());
  auto client = keeper_.attach();
  go();
  int code = -1;
  EXPECT_THAT(client.collect(FrameKind::kStderr, &code), HasSubstr("without an exit status"));
  EXPECT_EQ(code, 125);
  EXPECT_FALSE(keeper_.wait_exit().workload_code);
}

TEST_F(KeeperRunTest, AGuestsLackOfMemoryIsRecordedAndTold) {
  write(dir_ / "said", encode_frame(FrameKind::kExit, 0, encode_u32(137U | kExitOutOfMemory)));
  command(cat(wait_for_go(dir_), "cat ", dir_ / "said", " >&3; exit 0"));
  spec_.channels = {{"agent", 3, ChannelMode::kFramed}};
  ASSERT_TRUE(keeper_.start());
  auto client = keeper_.attach();
  go();
  int code = -1;
  EXPECT_THAT(client.collect(FrameKind::kStderr, &code), HasSubstr("killed: out of memory"));
  EXPECT_EQ(code, 137);
  EXPECT_EQ(keeper_.wait_exit().oom_killed, true);
}

TEST_F(KeeperRunTest, AGuestThatSendsGarbageLosesOnlyItsChannel) {
  command(cat("head -c 100000 /dev/urandom >&3; echo still >&2;", wait_for_go(dir_), "exit 6"));
  spec_.channels = {{"agent", 3, ChannelMode::kFramed}};
  ASSERT_TRUE(keeper_.start());
  ASSERT_TRUE(eventually([&] { return sys::exists(KeeperPaths{spec_.run_dir}.channel_error()); }));
  go();
  const auto exit = keeper_.wait_exit();
  EXPECT_EQ(exit.status.code, 6);
  EXPECT_THAT(exit.note, HasSubstr("channel agent closed"));
  EXPECT_THAT(KeeperProcess::log_text(spec_.log_path), HasSubstr("skerry-keeper: channel agent closed"));
}

TEST_F(KeeperRunTest, PassesDescriptorsOnAndKeepsNone) {
  const auto pipe = sys::pipe().value();
  const Fd own(::fcntl(pipe.write_end.get(), F_DUPFD_CLOEXEC, 20));
  spec_.preserve_fds = {own.get()};
  command(cat("exec 8>/proc/self/fd/", own.get(), "; echo through >&8;", wait_for_go(dir_)));
  ASSERT_TRUE(keeper_.start());
  std::array<char, 16> buffer{};
  EXPECT_EQ(sys::read(pipe.read_end.get(), buffer.data(), buffer.size()).value(), 8U);
  const auto keeper = read_keeper_pids(spec_.run_dir).value().keeper;
  const std::string link = sys::readlink(cat("/proc/self/fd/", own.get())).value();
  for (const auto& entry : std::filesystem::directory_iterator(cat("/proc/", keeper, "/fd"))) {
    EXPECT_NE(sys::readlink(entry.path()).value_or(""), link);
  }
  go();
  keeper_.wait_exit();
}

// ── exec ──

class KeeperExecTest : public KeeperRunTest {
 protected:
  // Starts `skerry-keeper exec` on a script and returns our end of its connection.
  FrameClient exec(std::string_view script) {
    write(dir_ / "process", script);
    auto pair = unix_pair().value();
    KeeperExecSpec spec;
    spec.socket_fd = 5;
    spec.runtime = dir_ / "runtime";
    spec.id = "e1";
    spec.process_file = dir_ / "process";
    SpawnSpec spawn;
    spawn.argv = keeper_arguments(spec);
    spawn.argv.insert(spawn.argv.begin(), SKERRY_KEEPER_PROGRAM);
    spawn.fds = {{pair.second.get(), 5}, {2, 2}};
    child_.emplace(Child::spawn(spawn).value());
    return FrameClient(std::move(pair.first));
  }
  std::optional<Child> child_;
};

TEST_F(KeeperExecTest, CarriesStreamsAndExitCode) {
  auto client = exec("read line; echo \"got $line\"; echo err >&2; exit 9");
  EXPECT_TRUE(decode_report(client.next(FrameKind::kResponse)->payload));
  client.send(FrameKind::kStdin, 0, "input\n");
  int code = -1;
  EXPECT_EQ(client.collect(FrameKind::kStdout, &code), "got input\n");
  EXPECT_EQ(code, 9);
  EXPECT_TRUE(child_->wait(kTestDeadline)->success());
}

TEST_F(KeeperExecTest, TellsThatACommandIsMissing) {
  write(dir_ / "process.error", R"({"level":"error","msg":"exec: \"x\": executable file not found in $PATH"})");
  auto client = exec("true");
  const auto report = decode_report(client.next(FrameKind::kResponse)->payload);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kCommandNotFound);
  int code = -1;
  client.collect(FrameKind::kStdout, &code);
  EXPECT_EQ(code, 127);
}

TEST_F(KeeperExecTest, HangsTheProcessUpWhenThePeerGoes) {
  auto client = exec(cat("trap 'echo hup >", dir_ / "hup", "; exit' HUP; echo ready; while :; do sleep 0.01; done"));
  EXPECT_EQ(client.next(FrameKind::kStdout)->payload, "ready\n");
  client.close();
  EXPECT_TRUE(child_->wait(kTestDeadline)->success());
  EXPECT_EQ(read_file(dir_ / "hup").value_or(""), "hup\n");
}

TEST_F(KeeperExecTest, KillsAProcessThatIgnoresTheHangUp) {
  auto client = exec("trap '' HUP; echo $$; while :; do sleep 0.01; done");
  const auto text = client.next(FrameKind::kStdout)->payload;
  const auto process = open_pidfd(parse_int<pid_t>(trim(text), "pid").value()).value();
  client.send(FrameKind::kClose);
  EXPECT_TRUE(has_ended(process.get(), kTestDeadline).value());
  EXPECT_TRUE(child_->wait(kTestDeadline)->success());
}

TEST_F(KeeperExecTest, ASlowReaderLosesNothing) {
  auto client = exec("seq 1 300000");
  ASSERT_TRUE(client.next(FrameKind::kResponse));
  // Nothing is read until the process must be waiting in its pipe.
  const auto children = [&] { return has_ended(child_->pidfd(), std::chrono::milliseconds(300)).value(); };
  EXPECT_FALSE(children());
  const std::string got = client.collect(FrameKind::kStdout);
  EXPECT_TRUE(got.ends_with("\n300000\n"));
  std::string want;
  for (int i = 1; i <= 300'000; ++i) want += cat(i, "\n");
  EXPECT_EQ(got.size(), want.size());
}

}  // namespace
}  // namespace skerry::keeper
