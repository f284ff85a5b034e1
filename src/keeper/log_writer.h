// LogWriter: the workload's output streams → log entries in the CRI format (base/cri_log.h), in a rotating file.
//
// Never blocks and never fails the caller: what cannot be written (disk full) is dropped and counted, and an entry
// saying so is written as soon as there is room again. Holds at most one unfinished line (kMaxLogText) per stream.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/cri_log.h"
#include "keeper/rotating_file.h"

namespace skerry::keeper {

class LogWriter {
 public:
  LogWriter(RotatingFile file, const Clock& clock) : file_(std::move(file)), clock_(clock) {}

  void write(LogStream stream, std::string_view bytes);
  // Writes the unfinished lines as partial entries: at the end of a stream, or when a prompt waits too long.
  void flush();
  [[nodiscard]] bool holds_partial_line() const { return !held_[0].empty() || !held_[1].empty(); }
  // An entry of the keeper itself, on stderr, marked as such.
  void note(std::string_view text);
  [[nodiscard]] std::uint64_t dropped() const { return dropped_entries_; }

 private:
  void add(LogStream stream, LogTag tag, std::string_view text);
  void commit();
  bool report_dropped();

  RotatingFile file_;
  const Clock& clock_;
  std::array<std::string, 2> held_;  // by stream: the begin of a line whose end has not come
  std::string batch_;                // entries not yet in the file
  std::uint64_t batch_entries_ = 0;
  std::uint64_t dropped_entries_ = 0;
  std::uint64_t dropped_bytes_ = 0;
  std::string drop_reason_;
};

}  // namespace skerry::keeper
