#include "oci_microvm/stdio_relay.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

#include "base/sys_file.h"

namespace skerry::oci_microvm {
namespace {

constexpr int kKilled = 128 + SIGKILL;

class RawMode {
 public:
  RawMode() {
    if (::tcgetattr(STDIN_FILENO, &saved_) < 0) return;
    termios raw = saved_;
    ::cfmakeraw(&raw);
    active_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
  }
  RawMode(const RawMode&) = delete;
  RawMode& operator=(const RawMode&) = delete;
  ~RawMode() {
    if (active_) ::tcsetattr(STDIN_FILENO, TCSANOW, &saved_);
  }

 private:
  termios saved_{};
  bool active_ = false;
};

class Relay {
 public:
  Relay(const Conversation& conversation, Terminal terminal, const PassedSignals& signals)
      : socket_(conversation.socket.get()), session_(conversation.session), signals_(signals) {
    if (terminal == Terminal::kNo || ::isatty(STDIN_FILENO) == 0) return;
    raw_.emplace();
    send_size();
  }

  Result<int> run() {
    while (!code_) {
      std::array<pollfd, 3> watched{pollfd{socket_, POLLIN, 0}, pollfd{signals_.fd(), POLLIN, 0},
                                    pollfd{input_ ? STDIN_FILENO : -1, POLLIN, 0}};
      if (::poll(watched.data(), watched.size(), -1) < 0) {
        if (errno == EINTR) continue;
        return fail_errno("poll");
      }
      if (watched[1].revents != 0) pass_signal();
      if (watched[2].revents != 0) pass_input();
      if (watched[0].revents != 0) TRY(take_frames());
    }
    return *code_;
  }

 private:
  void send(FrameKind kind, std::string_view payload) {
    static_cast<void>(write_frame(socket_, kind, session_, payload));
  }

  void send_size() {
    winsize size{};
    if (::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0) return;
    send(FrameKind::kResize, encode_size({size.ws_col, size.ws_row}));
  }

  void pass_signal() {
    signalfd_siginfo info{};
    if (::read(signals_.fd(), &info, sizeof info) != sizeof info) return;
    if (info.ssi_signo == SIGWINCH) {
      if (raw_) send_size();
      return;
    }
    send(FrameKind::kSignal, encode_u32(info.ssi_signo));
  }

  void pass_input() {
    const auto got = ::read(STDIN_FILENO, buffer_.data(), buffer_.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (got > 0) return send(FrameKind::kStdin, {buffer_.data(), static_cast<std::size_t>(got)});
    input_ = false;
    // The end of a terminal is somebody hanging up, not the end of what was typed.
    if (!raw_) send(FrameKind::kStdinEof, {});
  }

  Status take_frames() {
    const auto got = ::read(socket_, buffer_.data(), buffer_.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return {};
    if (got <= 0) {
      code_ = kKilled;
      return {};
    }
    parser_.feed({buffer_.data(), static_cast<std::size_t>(got)});
    while (const auto frame = TRY(parser_.next())) {
      if (frame->session != session_) continue;
      // Nobody reads any more: the process goes on all the same.
      if (frame->kind == FrameKind::kStdout) static_cast<void>(sys::write_all(STDOUT_FILENO, frame->payload));
      if (frame->kind == FrameKind::kStderr) static_cast<void>(sys::write_all(STDERR_FILENO, frame->payload));
      if (frame->kind == FrameKind::kExit) code_ = static_cast<int>(TRY(decode_u32(frame->payload)) & 0xFFU);
    }
    return {};
  }

  int socket_;
  std::uint32_t session_;
  const PassedSignals& signals_;
  std::optional<RawMode> raw_;
  FrameParser parser_;
  std::array<char, 65536> buffer_{};
  bool input_ = true;
  std::optional<int> code_;
};

}  // namespace

PassedSignals::PassedSignals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH}) {
    ::sigaddset(&set, number);
  }
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  fd_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

Result<int> relay_stdio(const Conversation& conversation, Terminal terminal, const PassedSignals& signals) {
  Relay relay(conversation, terminal, signals);
  return relay.run();
}

}  // namespace skerry::oci_microvm
