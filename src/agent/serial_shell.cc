#include "agent/serial_shell.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <utility>

#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::agent {
namespace {

constexpr Duration kReopenAfter = std::chrono::milliseconds(100);

// As getty(8) leaves a line. The speed means nothing to a virtual one.
termios sane(const termios& now) {
  termios mode = now;
  mode.c_iflag = ICRNL | IXON | IUTF8;
  mode.c_oflag = OPOST | ONLCR;
  mode.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
  mode.c_cc[VINTR] = 3;
  mode.c_cc[VQUIT] = 28;
  mode.c_cc[VERASE] = 127;
  mode.c_cc[VKILL] = 21;
  mode.c_cc[VEOF] = 4;
  mode.c_cc[VSTART] = 17;
  mode.c_cc[VSTOP] = 19;
  mode.c_cc[VSUSP] = 26;
  mode.c_cc[VMIN] = 1;
  mode.c_cc[VTIME] = 0;
  return mode;
}

// A key counts at once, and is not shown.
termios unechoed(const termios& now) {
  termios mode = sane(now);
  mode.c_lflag = 0;
  return mode;
}

void tell(int line, std::string_view text) {
  [[maybe_unused]] const auto written = ::write(line, text.data(), text.size());
}

}  // namespace

SerialShell::~SerialShell() {
  if (line_.valid()) loop_.forget(line_.get());
}

void SerialShell::open(std::string cgroup) {
  cgroup_ = std::move(cgroup);
  wait_for_key();
}

void SerialShell::wait_for_key() {
  auto line = sys::open(device_, O_RDWR | O_NOCTTY | O_NONBLOCK);
  termios mode{};
  if (!line || ::tcgetattr(line->get(), &mode) < 0) return;
  mode = unechoed(mode);
  ::tcsetattr(line->get(), TCSANOW, &mode);
  line_ = std::move(*line);
  const auto watched = loop_.watch(line_.get(), EPOLLIN, [this](std::uint32_t) {
    std::array<char, 256> keys{};
    if (::read(line_.get(), keys.data(), keys.size()) > 0) return start();
    // Hung up by somebody inside.
    loop_.forget(line_.get());
    line_.reset();
    loop_.after(kReopenAfter, [this] { wait_for_key(); });
  });
  if (!watched) line_.reset();
}

void SerialShell::start() {
  wire::GuestProcess process = process_();
  process.argv = {"/bin/sh"};
  process.terminal = true;
  if (const auto found = check_program(process); !found) {
    return tell(line_.get(), cat("\r\nno shell on this line: ", found.error().message(), "\r\n"));
  }
  termios mode{};
  ::tcgetattr(line_.get(), &mode);
  mode = sane(mode);
  ::tcsetattr(line_.get(), TCSAFLUSH, &mode);
  // The shell's reads and writes wait.
  ::fcntl(line_.get(), F_SETFL, O_RDWR);
  tell(line_.get(), "\r\n");
  loop_.forget(line_.get());
  const Fd line = std::exchange(line_, Fd());
  const auto launched = launch(process, {.cgroup = cgroup_, .terminal = line.get()});
  if (launched) {
    pid_ = launched->pid;
    return;
  }
  tell(line.get(), cat("no shell on this line: ", launched.error().message(), "\r\n"));
  loop_.after(kReopenAfter, [this] { wait_for_key(); });
}

void SerialShell::ended() {
  pid_ = 0;
  wait_for_key();
}

void SerialShell::hang_up() const {
  if (pid_ > 0) ::kill(-pid_, SIGKILL);
}

}  // namespace skerry::agent
