#include "oci/cli_log.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sys_file.h"
#include "base/terminal_text.h"
#include "base/text.h"

namespace skerry::oci {

Status CliLog::open(const std::string& path, Format format) {
  format_ = format;
  if (!path.empty()) file_ = TRY_IN("--log", sys::open(path, O_WRONLY | O_CREAT | O_APPEND, 0644));
  return {};
}

void CliLog::write(std::string_view level, std::string_view message) const {
  const std::string time = to_rfc3339(SystemClock().now());
  std::string line;
  if (format_ == Format::kJson) {
    line = cat("{\"level\":\"", level, "\",\"msg\":\"");
    log::append_json_escaped(line, message);
    line += cat("\",\"time\":\"", time, "\"}\n");
  } else {
    line = cat("time=\"", time, "\" level=", level, " msg=\"");
    log::append_json_escaped(line, message);
    line += "\"\n";
  }
  (void)sys::write_all(file_ ? file_.get() : STDERR_FILENO, line);
}

void CliLog::error(std::string_view message) const {
  if (file_) write("error", message);
  (void)sys::write_all(STDERR_FILENO, cat("skerry-oci: ", without_controls(message), "\n"));
}

void CliLog::warning(std::string_view message) const { write("warning", message); }

void CliLog::debug(std::string_view message) const {
  if (debug_) write("debug", message);
}

}  // namespace skerry::oci
