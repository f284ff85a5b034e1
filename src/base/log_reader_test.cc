#include "base/log_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <thread>

#include "base/directory_watch.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"
#include "base/text.h"

namespace skerry {
namespace {

// Writes and rotates as the keeper does: PATH is appended to, a rotation renames PATH.1 to PATH.2, PATH to PATH.1.
class Writer {
 public:
  explicit Writer(std::string path, int files = 5) : path_(std::move(path)), files_(files) { reopen(); }

  void add(std::string_view text, LogTag tag = LogTag::kFull, LogStream stream = LogStream::kStdout) {
    std::string line;
    append_cri_entry(line, {{++time_}, stream, tag, text});
    raw(line);
  }
  void raw(std::string_view bytes) { ASSERT_TRUE(sys::write_all(file_.get(), bytes)); }
  void rotate() {
    for (int number = files_ - 1; number >= 1; --number) {
      const std::string from = number == 1 ? path_ : cat(path_, ".", number - 1);
      if (sys::exists(from)) sys::rename(from, cat(path_, ".", number)).value();
    }
    reopen();
  }
  [[nodiscard]] int fd() const { return file_.get(); }

 private:
  void reopen() { file_ = sys::open(path_, O_WRONLY | O_APPEND | O_CREAT, 0640).value(); }
  std::string path_;
  int files_;
  Fd file_;
  std::int64_t time_ = 0;
};

class LogReaderTest : public testing::Test {
 protected:
  TempDir dir_ = TempDir::create("log-reader").value();
  std::string path_ = dir_ / "log";

  static std::string drain(LogReader& reader) {
    std::string texts;
    while (true) {
      const auto records = reader.read(3).value();
      if (records.empty()) return texts;
      for (const auto& record : records) texts += cat(texts.empty() ? "" : " ", record.text);
    }
  }
  std::string tail(std::size_t lines) const {
    LogStart start;
    start.tail = lines;
    auto reader = LogReader::open(path_, start).value();
    return drain(reader);
  }
};

TEST_F(LogReaderTest, NoLogYetIsNoError) {
  auto reader = LogReader::open(path_).value();
  EXPECT_EQ(drain(reader), "");
  Writer writer(path_);
  writer.add("a");
  EXPECT_EQ(drain(reader), "a");
}

TEST_F(LogReaderTest, TellsEverythingOfARecord) {
  Writer writer(path_);
  writer.add("half ", LogTag::kPartial, LogStream::kStderr);
  auto reader = LogReader::open(path_).value();
  EXPECT_EQ(reader.read().value(), (std::vector<LogRecord>{{{1}, LogStream::kStderr, LogTag::kPartial, "half "}}));
}

TEST_F(LogReaderTest, ReadsFromTheOldestFileToTheNewest) {
  Writer writer(path_);
  for (const auto* text : {"a", "b"}) writer.add(text);
  writer.rotate();
  writer.add("c");
  writer.rotate();
  writer.add("d");
  auto reader = LogReader::open(path_).value();
  EXPECT_EQ(drain(reader), "a b c d");
  EXPECT_FALSE(reader.missed());
}

TEST_F(LogReaderTest, TailCountsLinesOverFiles) {
  Writer writer(path_);
  for (const auto* text : {"a", "b", "c"}) writer.add(text);
  writer.rotate();
  for (const auto* text : {"d", "e"}) writer.add(text);
  EXPECT_EQ(tail(0), "");
  EXPECT_EQ(tail(1), "e");
  EXPECT_EQ(tail(2), "d e");
  EXPECT_EQ(tail(3), "c d e");
  EXPECT_EQ(tail(5), "a b c d e");
  EXPECT_EQ(tail(100), "a b c d e");
}

TEST_F(LogReaderTest, TailCountsAnUnfinishedLineAsOne) {
  Writer writer(path_);
  writer.add("a");
  writer.add("b1", LogTag::kPartial);
  writer.add("b2");
  writer.add("prompt", LogTag::kPartial);
  EXPECT_EQ(tail(1), "prompt");
  EXPECT_EQ(tail(2), "b1 b2 prompt");
  EXPECT_EQ(tail(3), "a b1 b2 prompt");
}

TEST_F(LogReaderTest, SinceLeavesOutWhatIsOlder) {
  Writer writer(path_);
  for (const auto* text : {"a", "b", "c"}) writer.add(text);
  LogStart start;
  start.since = WallTime{2};
  auto reader = LogReader::open(path_, start).value();
  EXPECT_EQ(drain(reader), "b c");
}

TEST_F(LogReaderTest, AnEntryIsReadOnceItIsWhole) {
  Writer writer(path_);
  auto reader = LogReader::open(path_).value();
  writer.raw("2026-11-21T07:30:00.000000000Z stdout F hel");
  EXPECT_EQ(drain(reader), "");
  writer.raw("lo\n");
  EXPECT_EQ(drain(reader), "hello");
}

TEST_F(LogReaderTest, WhatWasAddedBeforeARotationIsNotLost) {
  Writer writer(path_);
  auto reader = LogReader::open(path_).value();
  writer.add("a");
  EXPECT_EQ(drain(reader), "a");
  writer.add("b");
  writer.rotate();
  writer.add("c");
  writer.rotate();
  writer.rotate();
  writer.add("d");
  EXPECT_EQ(drain(reader), "b c d");
  EXPECT_FALSE(reader.missed());
}

TEST_F(LogReaderTest, TellsWhenAFileWasRemovedUnread) {
  Writer writer(path_, 2);
  auto reader = LogReader::open(path_).value();
  writer.add("a");
  EXPECT_EQ(drain(reader), "a");
  for (const auto* text : {"b", "c", "d"}) {
    writer.rotate();
    writer.add(text);
  }
  EXPECT_EQ(drain(reader), "c d");
  EXPECT_TRUE(reader.missed());
}

TEST_F(LogReaderTest, StepsOverDamage) {
  Writer writer(path_);
  writer.add("a");
  writer.raw("not an entry\n");
  writer.raw(std::string(1U << 20U, 'x') + "\n");
  writer.add("b");
  auto reader = LogReader::open(path_).value();
  EXPECT_EQ(drain(reader), "a b");
  EXPECT_TRUE(reader.missed());
}

TEST_F(LogReaderTest, SurvivesThatAHalfWrittenPieceIsTruncatedAway) {
  Writer writer(path_);
  writer.add("a");
  writer.add("b");
  auto reader = LogReader::open(path_).value();
  EXPECT_EQ(drain(reader), "a b");
  std::string first;
  append_cri_entry(first, {{1}, LogStream::kStdout, LogTag::kFull, "a"});
  ASSERT_TRUE(sys::ftruncate(writer.fd(), first.size()));
  EXPECT_EQ(drain(reader), "");
  writer.add("c");
  EXPECT_EQ(drain(reader), "c");
}

// A writer that rotates all the time and a reader that follows: nothing is missing and nothing comes twice.
TEST_F(LogReaderTest, FollowsOverRotationsWithoutAGap) {
  constexpr int kEntries = 5'000;
  auto watch = DirectoryWatch::create(dir_.path()).value();
  Writer writer(path_, 400);
  std::jthread writing([&] {
    std::minstd_rand random(7);
    for (int i = 0; i < kEntries; ++i) {
      writer.add(cat(i));
      if (random() % 32 == 0) writer.rotate();
    }
  });
  auto reader = LogReader::open(path_).value();
  int next = 0;
  while (next < kEntries) {
    ASSERT_TRUE(watch.clear());
    const auto records = reader.read().value();
    for (const auto& record : records) ASSERT_EQ(record.text, cat(next++));
    const bool more = !records.empty() || watch.wait(std::chrono::seconds(20)).value();
    ASSERT_TRUE(more) << "waits for " << next;
  }
  EXPECT_FALSE(reader.missed());
}

}  // namespace
}  // namespace skerry
