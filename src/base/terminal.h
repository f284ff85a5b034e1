// Terminal: the user's terminal while a process inside has it.
#pragma once

#include <termios.h>

#include <optional>
#include <utility>

#include "base/frame.h"
#include "base/result.h"

namespace skerry {

// Raw mode (termios(3), cfmakeraw) as long as it lives; the old mode comes back whatever happens but SIGKILL.
class RawMode {
 public:
  // kIo where `fd` is no terminal (ENOTTY) or has hung up.
  static Result<RawMode> enter(int fd);
  RawMode(RawMode&& other) noexcept : fd_(std::exchange(other.fd_, -1)), before_(other.before_) {}
  RawMode& operator=(RawMode&&) = delete;
  RawMode(const RawMode&) = delete;
  RawMode& operator=(const RawMode&) = delete;
  ~RawMode();

 private:
  RawMode(int fd, const termios& before) : fd_(fd), before_(before) {}
  int fd_;
  termios before_;
};

// nullopt when it is no terminal.
std::optional<TerminalSize> terminal_size(int fd);

}  // namespace skerry
