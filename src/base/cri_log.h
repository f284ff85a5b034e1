// The Kubernetes CRI log format: one entry a line,
//
//   2026-11-21T07:30:00.000000000Z stdout F the text
//
// time (RFC 3339, nanoseconds), stream, tag, text. Tag F ends a line of the program, tag P says that it goes on in the
// stream's next entry. (kubernetes/design-proposals, "CRI: Log management for container stdio streams".)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace skerry {

enum class LogStream : std::uint8_t { kStdout, kStderr };
enum class LogTag : std::uint8_t { kFull, kPartial };

// The longest text of one entry; a longer line becomes several entries.
inline constexpr std::size_t kMaxLogText = 16U << 10U;

struct LogEntry {
  WallTime time;
  LogStream stream = LogStream::kStdout;
  LogTag tag = LogTag::kFull;
  std::string_view text;  // borrowed from the line
};

// Appends one entry with its line end. `text` holds no newline.
void append_cri_entry(std::string& out, const LogEntry& entry);
// Parses one line without its end; kCorrupt when it is not an entry.
Result<LogEntry> parse_cri_entry(std::string_view line);

}  // namespace skerry
