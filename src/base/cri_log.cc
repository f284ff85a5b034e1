#include "base/cri_log.h"

namespace skerry {
namespace {

// Cuts the next word off `rest`, up to one space.
std::string_view take_word(std::string_view& rest) {
  const auto space = rest.find(' ');
  const auto word = rest.substr(0, space);
  rest.remove_prefix(space == std::string_view::npos ? rest.size() : space + 1);
  return word;
}

}  // namespace

void append_cri_entry(std::string& out, const LogEntry& entry) {
  out += to_rfc3339(entry.time);
  out += entry.stream == LogStream::kStdout ? " stdout " : " stderr ";
  out += entry.tag == LogTag::kFull ? "F " : "P ";
  out += entry.text;
  out += '\n';
}

Result<LogEntry> parse_cri_entry(std::string_view line) {
  LogEntry entry;
  entry.time = TRY(parse_rfc3339(take_word(line)));
  const auto stream = take_word(line);
  const auto tag = take_word(line);
  if ((stream != "stdout" && stream != "stderr") || (tag != "F" && tag != "P")) {
    return fail(ErrorCode::kCorrupt, "not a log entry");
  }
  entry.stream = stream == "stdout" ? LogStream::kStdout : LogStream::kStderr;
  entry.tag = tag == "F" ? LogTag::kFull : LogTag::kPartial;
  entry.text = line;
  return entry;
}

}  // namespace skerry
