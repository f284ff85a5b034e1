#include "drivers/keeper_client.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "base/file_io.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "base/unix_socket.h"

namespace skerry {
namespace {

constexpr Duration kDeadline = std::chrono::seconds(20);

// ── the report of an exec keeper ──

TEST(AwaitExecReport, TakesNoByteOfWhatFollows) {
  const auto pair = unix_pair().value();
  ASSERT_TRUE(write_frame(pair.second.get(), FrameKind::kResponse, 0, encode_report(pid_t{7})));
  ASSERT_TRUE(write_frame(pair.second.get(), FrameKind::kStdout, 0, "first output"));
  ASSERT_TRUE(await_exec_report(pair.first.get(), kDeadline));
  FrameParser parser;
  const auto next = read_frame(pair.first.get(), parser);
  ASSERT_TRUE(next && *next);
  EXPECT_EQ((*next)->payload, "first output");
}

TEST(AwaitExecReport, GivesTheKeepersError) {
  const auto pair = unix_pair().value();
  const Result<pid_t> report = fail(ErrorCode::kCommandNotFound, "exec: \"x\": not found");
  ASSERT_TRUE(write_frame(pair.second.get(), FrameKind::kResponse, 0, encode_report(report)));
  const auto answer = await_exec_report(pair.first.get(), kDeadline);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kCommandNotFound);
}

TEST(AwaitExecReport, NeverWaitsForEver) {
  auto pair = unix_pair().value();
  EXPECT_EQ(await_exec_report(pair.first.get(), std::chrono::milliseconds(20)).error().code,
            ErrorCode::kDeadlineExceeded);
  pair.second.reset();
  EXPECT_EQ(await_exec_report(pair.first.get(), kDeadline).error().code, ErrorCode::kUnavailable);
}

TEST(AwaitExecReport, RefusesAnotherFrame) {
  const auto pair = unix_pair().value();
  ASSERT_TRUE(write_frame(pair.second.get(), FrameKind::kStdout, 0, "x"));
  EXPECT_EQ(await_exec_report(pair.first.get(), kDeadline).error().code, ErrorCode::kCorrupt);
}

// ── who is there ──

class ViewKeeperTest : public testing::Test {
 protected:
  void record(pid_t pid, std::uint64_t start_time, const std::string& boot_id) {
    KeeperPids pids;
    pids.main = pids.keeper = pid;
    pids.main_start = pids.keeper_start = start_time;
    pids.boot_id = boot_id;
    ASSERT_TRUE(write_file_atomic(KeeperPaths{dir_.path()}.pid(), encode_pids(pids), 0600));
  }
  static std::string this_boot() { return std::string(trim(read_file("/proc/sys/kernel/random/boot_id").value())); }
  [[nodiscard]] KeeperView view() const { return view_keeper(dir_.path()).value(); }
  TempDir dir_ = TempDir::create("view-keeper").value();
};

TEST_F(ViewKeeperTest, NothingThere) { EXPECT_FALSE(view().pids || view().exit || view().keeper || view().main); }

TEST_F(ViewKeeperTest, FindsTheVeryProcess) {
  record(::getpid(), process_start_time(::getpid()).value(), this_boot());
  EXPECT_TRUE(view().keeper && view().main);
}

TEST_F(ViewKeeperTest, ATakenOverPidIsNotIt) {
  record(::getpid(), process_start_time(::getpid()).value() + 1, this_boot());
  EXPECT_TRUE(view().pids);
  EXPECT_FALSE(view().keeper || view().main);
}

TEST_F(ViewKeeperTest, ARecordOfAnEarlierBootIsNone) {
  record(::getpid(), process_start_time(::getpid()).value(), "another-boot");
  EXPECT_FALSE(view().pids);
}

TEST_F(ViewKeeperTest, AZombieHasEnded) {
  SpawnSpec spec;
  spec.argv = {"true"};
  auto child = Child::spawn(spec).value();
  const auto start_time = process_start_time(child.pid()).value();
  ASSERT_TRUE(has_ended(child.pidfd(), kDeadline).value());
  record(child.pid(), start_time, this_boot());
  EXPECT_FALSE(view().keeper);
  ASSERT_TRUE(child.wait());
}

TEST_F(ViewKeeperTest, GivesTheExit) {
  KeeperExit exit;
  exit.status.code = 3;
  ASSERT_TRUE(write_file_atomic(KeeperPaths{dir_.path()}.exit(), encode_exit(exit), 0600));
  EXPECT_EQ(view().exit->shell_code(), 3);
}

// A power failure may leave empty files; cleaning up must not stumble over them.
TEST_F(ViewKeeperTest, ADamagedRecordIsNone) {
  for (const auto& path : {KeeperPaths{dir_.path()}.pid(), KeeperPaths{dir_.path()}.exit()}) {
    ASSERT_TRUE(write_file_atomic(path, "", 0600));
  }
  EXPECT_FALSE(view().pids || view().exit);
}

// ── strays ──

TEST(KillStrays, EndsWhatServesTheBundleAndNothingElse) {
  const auto spawn = [](const std::string& bundle) {
    SpawnSpec spec;
    spec.argv = {"/bin/sh", "-c", "kill -STOP $$", "x", "--bundle", bundle};
    return Child::spawn(spec).value();
  };
  const auto dir = TempDir::create("strays").value();
  auto stray = spawn(dir / "bundle");
  auto other = spawn(dir / "bundle2");
  ASSERT_TRUE(kill_strays(dir / "bundle", kDeadline));
  EXPECT_EQ(stray.wait(kDeadline).value().signal, SIGKILL);
  EXPECT_FALSE(has_ended(other.pidfd(), Duration::zero()).value());
  ASSERT_TRUE(other.signal(SIGKILL));
  ASSERT_TRUE(other.wait());
  EXPECT_TRUE(kill_strays(dir / "bundle", kDeadline)) << "none left";
}

}  // namespace
}  // namespace skerry
