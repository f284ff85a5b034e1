// LogReader: reads the log a keeper writes (base/cri_log.h), over its rotated files, from the oldest kept entry or the
// last N lines on, and on and on as it grows.
//
//   LOG.2 ──▶ LOG.1 ──▶ LOG ──▶ …        oldest to newest; a rotation renames every file by one
//
// A reader follows a file by its descriptor, not its name: a rotation under its hands costs nothing and repeats
// nothing. Only when a file is removed before it was read (it fell behind by all kept files) entries are missing;
// missed() tells. Move-only, not thread-safe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/cri_log.h"
#include "base/fd.h"
#include "base/result.h"

namespace skerry {

struct LogRecord {
  WallTime time;
  LogStream stream = LogStream::kStdout;
  LogTag tag = LogTag::kFull;  // kPartial: the line goes on in the stream's next record
  std::string text;
  bool operator==(const LogRecord&) const = default;
};

// Where to begin. Everything kept, when nothing is said.
struct LogStart {
  std::optional<std::size_t> tail;  // only the last so many lines
  WallTime since;                   // only entries of this time or later
};

class LogReader {
 public:
  struct FileId {
    dev_t device = 0;
    ino_t inode = 0;
    bool operator==(const FileId&) const = default;
  };
  // There need not be a log yet.
  static Result<LogReader> open(std::string path, const LogStart& start = {});

  // The next records, at most `most` (but not more than about 256 KiB at a time). Empty: nothing more for now; wait
  // for a change in the log's directory (base/directory_watch.h) and read again.
  Result<std::vector<LogRecord>> read(std::size_t most = 1000);
  // Entries are missing: files were removed unread, or a line was damaged.
  [[nodiscard]] bool missed() const { return missed_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  explicit LogReader(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] std::string name(int number) const;
  Status seek_tail(std::size_t lines);
  Result<Fd> open_oldest() const;
  [[nodiscard]] Result<std::optional<int>> find_number(const FileId& held) const;
  Result<Fd> find_newer();
  Result<std::size_t> take_lines(std::size_t most, std::vector<LogRecord>& out);
  Result<bool> advance();

  std::string path_;
  WallTime since_;
  Fd file_;
  std::uint64_t offset_ = 0;  // of the first entry in file_ not yet read
  Fd newer_;                  // the file after file_, once that has been rotated
  bool missed_ = false;
};

}  // namespace skerry
