#include "base/terminal.h"

#include <sys/ioctl.h>

namespace skerry {

Result<RawMode> RawMode::enter(int fd) {
  termios before{};
  if (::tcgetattr(fd, &before) != 0) return fail_errno("read the terminal's mode");
  termios raw = before;
  ::cfmakeraw(&raw);
  if (::tcsetattr(fd, TCSANOW, &raw) != 0) return fail_errno("set the terminal's mode");
  return RawMode(fd, before);
}

RawMode::~RawMode() {
  if (fd_ >= 0) ::tcsetattr(fd_, TCSANOW, &before_);
}

std::optional<TerminalSize> terminal_size(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return std::nullopt;
  return TerminalSize{size.ws_col, size.ws_row};
}

}  // namespace skerry
