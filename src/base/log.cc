#include "base/log.h"

#include <unistd.h>

#include <atomic>

#include "base/clock.h"
#include "base/text.h"

namespace skerry::log {
namespace {

// The one piece of process-wide state: what to write and how. Set at start, read everywhere.
std::atomic<Level> g_level{Level::kInfo};
std::atomic<Format> g_format{Format::kText};

std::string_view level_name(Level level) {
  switch (level) {
    case Level::kDebug: return "debug";
    case Level::kInfo: return "info";
    case Level::kWarning: return "warning";
    case Level::kError: return "error";
  }
  return "error";
}

// Length of the valid UTF-8 sequence at the front, or 0 (Unicode 15, table 3-7).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  std::size_t length = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return 0;
  }
  if (text.size() < length || byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
  }
  return length;
}

void append_control(std::string& out, unsigned char c) {
  switch (c) {
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: out += cat("\\u00", to_hex(std::string_view(reinterpret_cast<const char*>(&c), 1)));
  }
}

}  // namespace

void append_json_escaped(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text.front());
    if (c < 0x20 || c == 0x7F) {
      append_control(out, c);
      text.remove_prefix(1);
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += text.front();
      text.remove_prefix(1);
    } else if (const auto length = utf8_length(text); length == 0) {
      out += "\xEF\xBF\xBD";
      text.remove_prefix(1);
    } else {
      out += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
}

Result<Level> parse_level(std::string_view text) {
  for (const Level level : {Level::kDebug, Level::kInfo, Level::kWarning, Level::kError}) {
    if (text == level_name(level)) return level;
  }
  return fail(ErrorCode::kInvalidArgument, cat("log level \"", text, "\""), "use debug, info, warning or error");
}

void configure(Level level, Format format) {
  g_level = level;
  g_format = format;
}

bool enabled(Level level) { return level >= g_level.load(std::memory_order_relaxed); }

std::string format_record(Format format, std::int64_t wall_ns, Level level, std::string_view message, Fields fields) {
  std::string line;
  if (format == Format::kJson) {
    line = cat("{\"time\":\"", to_rfc3339({wall_ns}), "\",\"level\":\"", level_name(level), "\",\"msg\":\"");
    append_json_escaped(line, message);
    line += '"';
    for (const auto& [key, value] : fields) {
      line += ",\"";
      append_json_escaped(line, key);
      line += "\":\"";
      append_json_escaped(line, value);
      line += '"';
    }
    line += '}';
    return line;
  }
  line = cat(to_rfc3339({wall_ns}), " ", level_name(level), " ");
  append_json_escaped(line, message);
  for (const auto& [key, value] : fields) {
    line += cat(" ", key, "=\"");
    append_json_escaped(line, value);
    line += '"';
  }
  return line;
}

void write(Level level, std::string_view message, Fields fields) {
  if (!enabled(level)) return;
  std::string line =
      format_record(g_format.load(std::memory_order_relaxed), SystemClock().now().ns, level, message, fields);
  line += '\n';
  // One write(2) a record keeps lines of several threads whole; a full or closed stderr is no reason to stop.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace skerry::log
