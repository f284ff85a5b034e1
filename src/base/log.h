// Structured logging to standard error: one line a record, as text for people or JSON for machines.
//
//   log::info("environment started", {{"name", name}, {"pid", cat(pid)}});
//
// A record carries time, level, message and fields. Secrets never go into a field. The level and the form are set once
// at start; the only state is that pair. Do not log between fork and exec.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/result.h"

namespace skerry::log {

enum class Level : std::uint8_t { kDebug, kInfo, kWarning, kError };
enum class Format : std::uint8_t { kText, kJson };

struct Field {
  std::string_view key;
  std::string_view value;
};
using Fields = std::initializer_list<Field>;

// "debug", "info", "warning" or "error".
Result<Level> parse_level(std::string_view text);
// Sets what is written from now on, for the whole process. Records below `level` are dropped.
void configure(Level level, Format format);
[[nodiscard]] bool enabled(Level level);

void write(Level level, std::string_view message, Fields fields = {});
inline void debug(std::string_view message, Fields fields = {}) { write(Level::kDebug, message, fields); }
inline void info(std::string_view message, Fields fields = {}) { write(Level::kInfo, message, fields); }
inline void warning(std::string_view message, Fields fields = {}) { write(Level::kWarning, message, fields); }
inline void error(std::string_view message, Fields fields = {}) { write(Level::kError, message, fields); }

// The line write() puts out, without its end; separate so that it can be tested.
std::string format_record(Format format, std::int64_t wall_ns, Level level, std::string_view message, Fields fields);

// Appends `text` as the inside of a JSON string (RFC 8259 section 7); bytes that are not UTF-8 become U+FFFD.
void append_json_escaped(std::string& out, std::string_view text);

}  // namespace skerry::log
