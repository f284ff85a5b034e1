#include "base/keeper_protocol.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/cri_log.h"
#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"
#include "base/text.h"

namespace skerry {
namespace {

TEST(KeeperProtocol, ExitFilesSurviveTheRoundTrip) {
  KeeperExit exit;
  exit.status.signal = 9;
  exit.workload_code = 3;
  exit.ended = {1'795'248'037'614'621'968};
  exit.oom_killed = true;
  exit.note = "channel agent closed";
  EXPECT_EQ(decode_exit(encode_exit(exit)).value(), exit);
  EXPECT_EQ(exit.shell_code(), 3);
  exit.workload_code.reset();
  EXPECT_EQ(exit.shell_code(), 137);
  exit.note = "two\nlines";
  EXPECT_EQ(decode_exit(encode_exit(exit))->note, "two lines");
}

TEST(KeeperProtocol, RefusesBrokenExitFiles) {
  EXPECT_FALSE(decode_exit(""));
  EXPECT_FALSE(decode_exit("code=1\n"));                        // no time
  EXPECT_FALSE(decode_exit("ended_ns=1\n"));                    // neither code nor signal
  EXPECT_FALSE(decode_exit("code=1\nsignal=9\nended_ns=1\n"));  // both
  EXPECT_FALSE(decode_exit("code=x\nended_ns=1\n"));
}

TEST(KeeperProtocol, PidsAreOfThisBootOnly) {
  TempDir dir = TempDir::create("pids").value();
  EXPECT_EQ(read_keeper_pids(dir.path()).error().code, ErrorCode::kNotFound);
  KeeperPids pids{.main = 10, .main_start = 20, .keeper = 30, .keeper_start = 40, .boot_id = "other-boot"};
  ASSERT_TRUE(write_file_atomic(dir / "pid", encode_pids(pids), 0600));
  EXPECT_EQ(read_keeper_pids(dir.path()).error().code, ErrorCode::kNotFound);
  const std::string boot_id = read_file("/proc/sys/kernel/random/boot_id").value();
  pids.boot_id = trim(boot_id);
  ASSERT_TRUE(write_file_atomic(dir / "pid", encode_pids(pids), 0600));
  EXPECT_EQ(read_keeper_pids(dir.path()).value(), pids);
}

TEST(KeeperProtocol, ReportsCarryAPidOrAnError) {
  EXPECT_EQ(decode_report(encode_report(4711)).value(), 4711);
  const auto error = decode_report(encode_report(fail(ErrorCode::kCommandNotFound, "no\nsuch")));
  EXPECT_EQ(error.error().code, ErrorCode::kCommandNotFound);
  EXPECT_EQ(error.error().step, "no such");
  EXPECT_EQ(decode_report("hello").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(decode_report("error unheard-of").error().code, ErrorCode::kInternal);
}

TEST(KeeperProtocol, AwaitingAReportEnds) {
  auto pipe = sys::pipe().value();
  EXPECT_EQ(await_report(pipe.read_end.get(), std::chrono::milliseconds(5)).error().code, ErrorCode::kDeadlineExceeded);
  ASSERT_TRUE(sys::write_all(pipe.write_end.get(), "ready 12\n"));
  EXPECT_EQ(await_report(pipe.read_end.get(), std::chrono::seconds(5)).value(), 12);
  pipe.write_end.reset();
  EXPECT_EQ(await_report(pipe.read_end.get(), std::chrono::seconds(5)).error().code, ErrorCode::kUnavailable);
}

TEST(CriLog, EntriesSurviveTheRoundTrip) {
  const LogEntry entry{{1'795'246'200'000'000'001}, LogStream::kStderr, LogTag::kPartial, "text with  spaces "};
  std::string line;
  append_cri_entry(line, entry);
  EXPECT_EQ(line, "2026-11-21T07:30:00.000000001Z stderr P text with  spaces \n");
  const auto parsed = parse_cri_entry(std::string_view(line).substr(0, line.size() - 1)).value();
  EXPECT_EQ(parsed.time, entry.time);
  EXPECT_EQ(parsed.stream, entry.stream);
  EXPECT_EQ(parsed.tag, entry.tag);
  EXPECT_EQ(parsed.text, entry.text);
  EXPECT_EQ(parse_cri_entry("2026-11-21T07:30:00.000000001Z stdout F ").value().text, "");
}

TEST(CriLog, RefusesOtherLines) {
  for (const auto* line :
       {"", "text", "2026-11-21T07:30:00Z stdin F x", "2026-11-21T07:30:00Z stdout X x", "yesterday stdout F x"}) {
    EXPECT_FALSE(parse_cri_entry(line)) << line;
  }
}

}  // namespace
}  // namespace skerry
