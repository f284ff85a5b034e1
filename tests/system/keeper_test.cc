// skerry-keeper over a real OCI runtime: skerry-oci, or the one named by SKERRY_TEST_RUNTIME.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "base/temp_dir.h"
#include "keeper/keeper_testing.h"

namespace skerry::keeper {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kBusybox = "/bin/busybox";

std::string runtime_path() {
  const char* chosen = std::getenv("SKERRY_TEST_RUNTIME");
  return chosen != nullptr ? chosen : SKERRY_BIN_DIR "/skerry-oci";
}

// A bundle with busybox as its only program.
void make_bundle(const std::string& dir, std::string_view script, bool terminal, std::string_view resources) {
  for (const auto* name : {"bin", "proc", "dev", "sys", "tmp"}) {
    ASSERT_TRUE(sys::mkdir_all(cat(dir, "/rootfs/", name), 0755));
  }
  std::ofstream(dir + "/rootfs/bin/busybox", std::ios::binary) << read_file(std::string(kBusybox)).value();
  ASSERT_TRUE(sys::chmod(dir + "/rootfs/bin/busybox", 0755));
  for (const auto* name : {"sh", "cat", "sleep", "stty", "dd", "tail", "true", "id"}) {
    ASSERT_TRUE(sys::symlink("busybox", cat(dir, "/rootfs/bin/", name)));
  }
  std::ofstream(dir + "/rootfs/script") << script;
  std::ofstream(dir + "/config.json") << cat(
      R"({"ociVersion":"1.0.2","root":{"path":"rootfs"},"hostname":"k",)", R"("process":{"terminal":)", terminal,
      R"(,"user":{"uid":0,"gid":0},"args":["/bin/sh","/script"],)", R"("env":["PATH=/bin"],"cwd":"/"},"mounts":[)",
      R"({"destination":"/proc","type":"proc","source":"proc"},)",
      R"({"destination":"/dev","type":"tmpfs","source":"tmpfs"},)",
      R"({"destination":"/dev/pts","type":"devpts","source":"devpts",)",
      R"("options":["newinstance","ptmxmode=0666"]}],)", R"("linux":{"namespaces":[{"type":"pid"},{"type":"mount"},)",
      R"({"type":"uts"},{"type":"ipc"},{"type":"network"}],)", R"("resources":{)", resources, "}}}");
}

class KeeperSystemTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);
    ASSERT_TRUE(sys::exists(runtime_path())) << "no OCI runtime";
    ASSERT_TRUE(sys::exists(std::string(kBusybox))) << "package busybox-static is missing";
    spec_.runtime = runtime_path();
    spec_.runtime_args = {"--root", dir_ / "state"};
    spec_.bundle = dir_ / "bundle";
    spec_.id = id_;
  }
  void TearDown() override { static_cast<void>(runtime({"delete", "--force", id_})); }

  Result<CommandOutput> runtime(std::vector<std::string> args) {
    SpawnSpec spec;
    spec.argv = {runtime_path(), "--root", dir_ / "state"};
    spec.argv.insert(spec.argv.end(), args.begin(), args.end());
    return run_command(spec, kTestDeadline);
  }
  // Creates and starts a container that runs this shell script.
  void launch(std::string_view script, std::string_view resources = "") {
    make_bundle(dir_ / "bundle", script, spec_.terminal, resources);
    const auto main = keeper_.start();
    ASSERT_TRUE(main) << main.error().message();
    client_.emplace(keeper_.attach());
    const auto started = runtime({"start", id_}).value();
    ASSERT_TRUE(started.status.success()) << started.err;
  }
  FrameClient exec(std::string_view args_json, bool terminal = false) {
    std::ofstream(dir_ / "process.json") << cat(
        R"({"terminal":)", terminal, R"(,"consoleSize":{"height":30,"width":100},"user":{"uid":0,"gid":0},"args":)",
        args_json, R"(,"env":["PATH=/bin"],"cwd":"/"})");
    auto pair = unix_pair().value();
    KeeperExecSpec spec;
    spec.socket_fd = 5;
    spec.runtime = runtime_path();
    spec.runtime_args = spec_.runtime_args;
    spec.id = id_;
    spec.process_file = dir_ / "process.json";
    spec.terminal = terminal;
    spec.terminal_size = {100, 30};
    SpawnSpec spawn;
    spawn.argv = keeper_arguments(spec);
    spawn.argv.insert(spawn.argv.begin(), SKERRY_BIN_DIR "/skerry-keeper");
    spawn.fds = {{pair.second.get(), 5}};
    exec_child_.emplace(Child::spawn(spawn).value());
    return FrameClient(std::move(pair.first));
  }

  TempDir dir_ = TempDir::create("keepersys").value();
  std::string id_ = cat("keeper-test-", ::getpid());
  KeeperProcess keeper_{SKERRY_BIN_DIR "/skerry-keeper", dir_.path()};
  KeeperRunSpec& spec_ = keeper_.spec;
  std::optional<FrameClient> client_;
  std::optional<Child> exec_child_;
};

TEST_F(KeeperSystemTest, RunsAContainerAndRecordsItsEnd) {
  launch("echo hello; echo oops >&2; exit 3");
  const auto exit = keeper_.wait_exit();
  EXPECT_EQ(exit.status.code, 3);
  EXPECT_EQ(exit.oom_killed, false);
  const auto log = read_file(spec_.log_path).value();
  EXPECT_THAT(log, HasSubstr("stdout F hello"));
  EXPECT_THAT(log, HasSubstr("stderr F oops"));
}

TEST_F(KeeperSystemTest, GivesItATerminal) {
  spec_.terminal = true;
  spec_.terminal_size = {100, 30};
  launch("stty size; read line; echo \"got $line\"; stty size; exit 2");
  std::string output;
  const auto expect = [&](std::string_view text) {
    while (output.find(text) == std::string::npos) {
      const auto frame = client_->next(FrameKind::kStdout);
      ASSERT_TRUE(frame) << "no \"" << text << "\" in " << output;
      output += frame->payload;
    }
  };
  expect("30 100");
  client_->send(FrameKind::kResize, 0, encode_size({120, 40}));
  client_->send(FrameKind::kStdin, 0, "input\n");
  expect("got input");
  expect("40 120");
  EXPECT_EQ(keeper_.wait_exit().status.code, 2);
}

TEST_F(KeeperSystemTest, NoticesAnOutOfMemoryKill) {
  launch("sleep 0.1; x=$(dd if=/dev/zero bs=1M count=200 2>/dev/null | cat | tail -c 200000000 | busybox tr '\\0' x)",
         R"("memory":{"limit":16777216})");
  const auto exit = keeper_.wait_exit();
  EXPECT_EQ(exit.oom_killed, true);
}

TEST_F(KeeperSystemTest, ExecCarriesStreamsTerminalAndCodes) {
  launch("cat");
  int code = -1;
  auto plain = exec(R"(["/bin/sh","-c","cat; echo err >&2; exit 4"])");
  EXPECT_TRUE(decode_report(plain.next(FrameKind::kResponse)->payload));
  plain.send(FrameKind::kStdin, 0, "through");
  plain.send(FrameKind::kStdinEof);
  EXPECT_EQ(plain.collect(FrameKind::kStdout, &code), "through");
  EXPECT_EQ(code, 4);

  auto terminal = exec(R"(["/bin/stty","size"])", true);
  EXPECT_THAT(terminal.collect(FrameKind::kStdout, &code), HasSubstr("30 100"));
  EXPECT_EQ(code, 0);

  auto missing = exec(R"(["/bin/nothing"])");
  EXPECT_EQ(decode_report(missing.next(FrameKind::kResponse)->payload).error().code, ErrorCode::kCommandNotFound);
  missing.collect(FrameKind::kStdout, &code);
  EXPECT_EQ(code, 127);

  auto forbidden = exec(R"(["/script"])");
  const auto report = decode_report(forbidden.next(FrameKind::kResponse)->payload);
  EXPECT_EQ(report.error().code, ErrorCode::kNotExecutable) << report.error().message();
  forbidden.collect(FrameKind::kStdout, &code);
  EXPECT_EQ(code, 126);
  client_->send(FrameKind::kStdinEof);
  EXPECT_EQ(keeper_.wait_exit().status.code, 0);
}

// Sum of the fields whose name begins so, in KiB.
std::size_t smaps_kib(pid_t pid, std::string_view field) {
  std::size_t sum = 0;
  const std::string text = read_file(cat("/proc/", pid, "/smaps_rollup")).value();
  for (auto line : split(text, '\n')) {
    if (!line.starts_with(field)) continue;
    line = trim(line.substr(line.find(':') + 1));
    sum += parse_int<std::size_t>(line.substr(0, line.find(' ')), "smaps").value();
  }
  return sum;
}

// The cost of one more environment: the program's text is in the page cache once for all keepers, so a second one runs.
TEST_F(KeeperSystemTest, NeedsLessThanAMebibyteOfPrivateMemory) {
  launch("cat; busybox seq 1 100000; cat");
  const TempDir other_dir = TempDir::create("keepersys").value();
  KeeperProcess other(SKERRY_BIN_DIR "/skerry-keeper", other_dir.path());
  other.spec.runtime = "/bin/sh";
  other.spec.runtime_args = {"-c", R"(sleep 60 & echo $! >"$9")", "sh"};  // $9: the pid file behind --pid-file
  other.spec.bundle = other_dir.path();
  other.spec.id = "other";
  const auto created = other.start();
  ASSERT_TRUE(created) << created.error().message();
  client_->send(FrameKind::kStdin, 0, "busy\n");
  client_->next(FrameKind::kStdout);
  const auto keeper = read_keeper_pids(spec_.run_dir).value().keeper;
  const std::size_t kib = smaps_kib(keeper, "Private_");
  std::printf("private memory of the keeper: %zu KiB, dirty %zu KiB\n", kib, smaps_kib(keeper, "Private_Dirty"));
  EXPECT_LT(kib, 1024U);
  client_->send(FrameKind::kStdinEof);
  client_->collect(FrameKind::kStdout);
  keeper_.wait_exit();
}

}  // namespace
}  // namespace skerry::keeper
