#include "keeper/log_writer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"
#include "base/text.h"

namespace skerry::keeper {
namespace {

class LogWriterTest : public ::testing::Test {
 protected:
  LogWriter open(std::uint64_t max_bytes = 1U << 20U, int files = 5) {
    return {RotatingFile::open(path_, max_bytes, files).value(), clock_};
  }
  // The texts of all entries of one stream, from the oldest file on; P entries are joined with what follows.
  std::string content(LogStream stream = LogStream::kStdout) {
    std::string out;
    for (int number = 40; number >= 0; --number) {
      const std::string path = number == 0 ? path_ : cat(path_, ".", number);
      if (!sys::exists(path)) continue;
      const std::string text = read_file(path).value();
      EXPECT_TRUE(text.empty() || text.ends_with('\n')) << path;
      for (const auto line : split(trim(text), '\n')) {
        const auto entry = parse_cri_entry(line);
        if (!entry) {
          ADD_FAILURE() << "not an entry: " << line;
          continue;
        }
        if (entry->stream != stream) continue;
        out += entry->text;
        if (entry->tag == LogTag::kFull) out += '\n';
      }
    }
    return out;
  }

  TempDir dir_ = TempDir::create("log").value();
  std::string path_ = dir_ / "log";
  ManualClock clock_;
};

TEST_F(LogWriterTest, WritesOneEntryALine) {
  auto log = open();
  log.write(LogStream::kStdout, "one\ntw");
  log.write(LogStream::kStderr, "error\n");
  log.write(LogStream::kStdout, "o\n\n");
  EXPECT_EQ(read_file(path_).value(),
            "2023-11-14T22:13:20.000000000Z stdout F one\n"
            "2023-11-14T22:13:20.000000000Z stderr F error\n"
            "2023-11-14T22:13:20.000000000Z stdout F two\n"
            "2023-11-14T22:13:20.000000000Z stdout F \n");
}

TEST_F(LogWriterTest, AnUnfinishedLineBecomesPartialOnFlush) {
  auto log = open();
  log.write(LogStream::kStdout, "password: ");
  EXPECT_TRUE(log.holds_partial_line());
  log.flush();
  EXPECT_FALSE(log.holds_partial_line());
  EXPECT_EQ(read_file(path_).value(), "2023-11-14T22:13:20.000000000Z stdout P password: \n");
}

TEST_F(LogWriterTest, CutsLongLinesIntoPartialEntries) {
  auto log = open();
  const std::string line = std::string(2 * kMaxLogText + 5, 'x') + "\n";
  log.write(LogStream::kStdout, line);
  EXPECT_EQ(content(), line);
  EXPECT_EQ(split(read_file(path_).value(), '\n').size(), 4U);
}

TEST_F(LogWriterTest, ALineOfExactlyTheLimitIsOneEntry) {
  auto log = open();
  log.write(LogStream::kStdout, std::string(kMaxLogText, 'x'));
  log.write(LogStream::kStdout, "\n");
  const std::string text = read_file(path_).value();
  EXPECT_EQ(split(text, '\n').size(), 2U);
  EXPECT_NE(text.find(" F x"), std::string::npos);
}

TEST_F(LogWriterTest, RotationLosesNoLine) {
  auto log = open(8192, 40);
  std::string all;
  for (int i = 0; i < 3000; ++i) {
    const std::string line = cat("line ", i, "\n");
    log.write(LogStream::kStdout, line);
    all += line;
  }
  EXPECT_EQ(content(), all);
  for (int number = 1; sys::exists(cat(path_, ".", number)); ++number) {
    EXPECT_LE(sys::stat(cat(path_, ".", number))->st_size, 8192);
  }
  EXPECT_TRUE(sys::exists(path_ + ".5"));
}

TEST_F(LogWriterTest, KeepsOnlyAsManyFilesAsAllowed) {
  auto log = open(4096, 3);
  for (int i = 0; i < 2000; ++i) log.write(LogStream::kStdout, "some text\n");
  EXPECT_TRUE(sys::exists(path_ + ".2"));
  EXPECT_FALSE(sys::exists(path_ + ".3"));
}

TEST_F(LogWriterTest, AppendsToTheLogOfAnEarlierRun) {
  {
    open().write(LogStream::kStdout, "first\n");
  }
  open().write(LogStream::kStdout, "second\n");
  EXPECT_EQ(content(), "first\nsecond\n");
}

// RLIMIT_FSIZE stands for the full disk: write(2) fails in the middle, as with ENOSPC.
TEST_F(LogWriterTest, AFullDiskDropsEntriesAndSaysSo) {
  std::signal(SIGXFSZ, SIG_IGN);
  auto log = open();
  log.write(LogStream::kStdout, "before\n");
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit tight{100, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  for (int i = 0; i < 10; ++i) log.write(LogStream::kStdout, "this line does not find room on the disk\n");
  EXPECT_EQ(log.dropped(), 10U);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  log.write(LogStream::kStdout, "after\n");
  EXPECT_EQ(log.dropped(), 0U);
  EXPECT_EQ(content(), "before\nafter\n");
  const std::string notes = content(LogStream::kStderr);
  EXPECT_NE(notes.find("skerry-keeper: 10 log entries ("), std::string::npos) << notes;
}

TEST_F(LogWriterTest, RefusesASymlinkAsItsFile) {
  ASSERT_TRUE(sys::symlink("/etc/passwd", path_));
  EXPECT_FALSE(RotatingFile::open(path_, 4096, 2));
}

}  // namespace
}  // namespace skerry::keeper
