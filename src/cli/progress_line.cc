#include "cli/progress_line.h"

#include <unistd.h>

#include "base/sys_file.h"
#include "base/terminal.h"
#include "base/text.h"

namespace skerry::cli {
namespace {

constexpr std::string_view kWipe = "\r\033[K";

void write(std::string_view text) { static_cast<void>(sys::write_all(STDERR_FILENO, text)); }

}  // namespace

ProgressLine::ProgressLine(const Settings& settings) : shown_(::isatty(STDERR_FILENO) == 1 && !settings.quiet) {}

void ProgressLine::draw(std::string_view text) {
  if (!shown_) return;
  write(cat(kWipe, text));
  drawn_ = true;
}

void ProgressLine::wipe() {
  if (drawn_) write(kWipe);
  drawn_ = false;
}

std::size_t ProgressLine::columns() {
  constexpr std::size_t kDefault = 80;
  const auto size = terminal_size(STDERR_FILENO);
  return size ? size->columns : kDefault;
}

}  // namespace skerry::cli
