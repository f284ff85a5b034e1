#include "oci/foreground.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

#include "base/process.h"
#include "base/sys_file.h"
#include "base/sys_process.h"
#include "base/terminal.h"
#include "base/unix_socket.h"

namespace skerry::oci {
namespace {

void copy_window_size(int master) {
  winsize size{};
  if (::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) ::ioctl(master, TIOCSWINSZ, &size);
}

// Moves what is there from one descriptor to the other; false at the end of the source.
bool pump(int from, int to) {
  std::array<char, 16384> buffer{};
  const auto got = ::read(from, buffer.data(), buffer.size());
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  if (got == 0) return false;
  return sys::write_all(to, {buffer.data(), static_cast<std::size_t>(got)}).has_value();
}

class Session {
 public:
  Session(const Launched& launched, const ForegroundSignals& signals) : launched_(launched), signals_(signals) {}

  Status take_terminal(const Fd& console) {
    auto message = TRY(receive_with_fds(console.get(), 4096));
    if (message.fds.empty()) return fail(ErrorCode::kIo, "the container did not hand over its terminal");
    master_ = std::move(message.fds.front());
    copy_window_size(master_.get());
    if (auto raw = RawMode::enter(STDIN_FILENO)) raw_.emplace(std::move(*raw));  // our input may be no terminal
    return {};
  }

  Result<int> run() {
    bool input = master_.valid();
    for (;;) {
      std::array<pollfd, 4> watched = {pollfd{launched_.pidfd.get(), POLLIN, 0}, pollfd{signals_.fd(), POLLIN, 0},
                                       pollfd{master_.get(), POLLIN, 0},  // negative descriptors are skipped
                                       pollfd{input ? STDIN_FILENO : -1, POLLIN, 0}};
      if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) return fail_errno("poll");
      if (watched[1].revents != 0) TRY(pass_signal());
      if (watched[3].revents != 0) input = pump(STDIN_FILENO, master_.get());
      if (watched[2].revents != 0 && !pump(master_.get(), STDOUT_FILENO)) master_.reset();
      if (watched[0].revents != 0) break;
    }
    // What the program wrote last is still in the terminal.
    if (master_.valid() && sys::set_nonblocking(master_.get())) {
      pollfd rest{master_.get(), POLLIN, 0};
      while (::poll(&rest, 1, 0) > 0 && pump(master_.get(), STDOUT_FILENO)) {
      }
    }
    raw_.reset();
    const int status = TRY(sys::wait_pid(launched_.pid));
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

 private:
  Status pass_signal() {
    signalfd_siginfo info{};
    if (::read(signals_.fd(), &info, sizeof info) != sizeof info) return {};
    const int number = static_cast<int>(info.ssi_signo);
    if (number == SIGWINCH) {
      if (master_.valid()) copy_window_size(master_.get());
      return {};
    }
    if (number == SIGCHLD) return {};
    return send_signal(launched_.pidfd.get(), number);
  }

  const Launched& launched_;
  const ForegroundSignals& signals_;
  Fd master_;
  std::optional<RawMode> raw_;
};

}  // namespace

ForegroundSignals::ForegroundSignals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH})
    ::sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  fd_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

Result<int> wait_in_foreground(const Launched& launched, const ForegroundSignals& signals, Fd console) {
  Session session(launched, signals);
  if (console) TRY(session.take_terminal(console));
  return session.run();
}

}  // namespace skerry::oci
