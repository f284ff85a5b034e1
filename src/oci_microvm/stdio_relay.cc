#include "oci_microvm/stdio_relay.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <optional>

#include "base/terminal.h"

namespace skerry::oci_microvm {
namespace {

constexpr int kKilled = 128 + SIGKILL;
// A keeper cuts off a client that reads too slowly (base/keeper_protocol.h); a reader of ours may be this much behind.
constexpr std::size_t kMostWaiting = 256U << 20U;

// Bytes on their way to a descriptor that may be slow. Not made non-blocking: it is shared with whoever gave it to us.
class Output {
 public:
  explicit Output(int fd) : fd_(fd) {}
  [[nodiscard]] std::size_t waiting() const { return bytes_.size() - sent_; }
  [[nodiscard]] pollfd watched() const { return {waiting() > 0 ? fd_ : -1, POLLOUT, 0}; }
  void put(std::string_view bytes) {
    if (broken_) return;
    bytes_.append(bytes);
  }
  // As much as a pipe that poll(2) calls writable takes at once (pipe(7), PIPE_BUF).
  void write_some() {
    const auto size = std::min<std::size_t>(waiting(), PIPE_BUF);
    const auto sent = ::write(fd_, bytes_.data() + sent_, size);
    if (sent < 0 && errno != EINTR && errno != EAGAIN) broken_ = true;  // nobody reads any more: the process goes on
    if (sent > 0) sent_ += static_cast<std::size_t>(sent);
    if (broken_ || waiting() == 0) {
      bytes_.clear();
      sent_ = 0;
    } else if (sent_ >= kCompactAt) {
      bytes_.erase(0, sent_);
      sent_ = 0;
    }
  }
  void flush() {
    while (waiting() > 0) write_some();
  }

 private:
  static constexpr std::size_t kCompactAt = 4U << 20U;
  int fd_;
  std::string bytes_;
  std::size_t sent_ = 0;
  bool broken_ = false;
};

class Relay {
 public:
  Relay(const Conversation& conversation, Terminal terminal, const PassedSignals& signals)
      : socket_(conversation.socket.get()), session_(conversation.session), signals_(signals) {
    if (terminal == Terminal::kNo) return;
    auto raw = RawMode::enter(STDIN_FILENO);
    if (!raw) return;  // no terminal
    raw_.emplace(std::move(*raw));
    send_size();
  }

  Result<int> run() {
    while (!code_) {
      const bool full = out_.waiting() + err_.waiting() > kMostWaiting;
      fell_behind_ = fell_behind_ || full;
      const bool more = input_ && to_guest_.size() < buffer_.size();
      const auto asked = static_cast<short>((full ? 0 : POLLIN) | (to_guest_.empty() ? 0 : POLLOUT));
      std::array<pollfd, 5> watched{pollfd{asked == 0 ? -1 : socket_, asked, 0}, pollfd{signals_.fd(), POLLIN, 0},
                                    pollfd{more ? STDIN_FILENO : -1, POLLIN, 0}, out_.watched(), err_.watched()};
      if (::poll(watched.data(), watched.size(), -1) < 0) {
        if (errno == EINTR) continue;
        return fail_errno("poll");
      }
      if (watched[1].revents != 0) pass_signal();
      if (watched[2].revents != 0) pass_input();
      if (watched[3].revents != 0) out_.write_some();
      if (watched[4].revents != 0) err_.write_some();
      if ((watched[0].revents & POLLOUT) != 0) send_some();
      if ((watched[0].revents & ~POLLOUT) != 0) TRY(take_frames());
    }
    out_.flush();
    err_.flush();
    return *code_;
  }

 private:
  // Queued: while we waited for room nobody would take what comes from there.
  void send(FrameKind kind, std::string_view payload) {
    to_guest_ += encode_frame(kind, session_, payload);
    send_some();
  }
  void send_some() {
    const auto sent = ::send(socket_, to_guest_.data(), to_guest_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) to_guest_.erase(0, static_cast<std::size_t>(sent));
    // The end of the conversation is seen where it is read.
    if (sent < 0 && errno != EINTR && errno != EAGAIN) to_guest_.clear();
  }

  void send_size() {
    if (const auto size = terminal_size(STDIN_FILENO)) send(FrameKind::kResize, encode_size(*size));
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
      if (fell_behind_) err_.put("skerry-oci-microvm: its reader is too slow: output was lost\n");
      code_ = kKilled;
      return {};
    }
    parser_.feed({buffer_.data(), static_cast<std::size_t>(got)});
    while (const auto frame = TRY(parser_.next())) {
      if (frame->session != session_) continue;
      if (frame->kind == FrameKind::kStdout) out_.put(frame->payload);
      if (frame->kind == FrameKind::kStderr) err_.put(frame->payload);
      if (frame->kind == FrameKind::kExit) code_ = static_cast<int>(TRY(decode_u32(frame->payload)) & 0xFFU);
    }
    return {};
  }

  int socket_;
  std::uint32_t session_;
  const PassedSignals& signals_;
  std::optional<RawMode> raw_;
  FrameParser parser_;
  std::string to_guest_;
  Output out_{STDOUT_FILENO};
  Output err_{STDERR_FILENO};
  std::array<char, 65536> buffer_{};
  bool input_ = true;
  bool fell_behind_ = false;
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
