#include "cli/conversation.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

#include "base/sys_file.h"
#include "base/terminal.h"
#include "base/text.h"
#include "cli/output.h"

namespace skerry::cli {
namespace {

constexpr std::array kForwarded{SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
constexpr int kMostInterrupts = 3;
constexpr int kSignalBase = 128;     // of exit codes (bash(1), "Exit status")
constexpr char kLeaveFirst = 0x10;   // Ctrl-P
constexpr char kLeaveSecond = 0x11;  // Ctrl-Q
// Output read ahead of a standard output that does not take it: none. One read, one write.
constexpr std::size_t kChunk = 64U << 10U;

class Talk {
 public:
  Talk(FrameChannel channel, const ConversationForm& form) : channel_(std::move(channel)), form_(form) {}

  Result<int> run() {
    TRY(take_signals());
    if (form_.terminal) {
      raw_.emplace(TRY(RawMode::enter(STDIN_FILENO)));
      TRY(send_size());
    }
    TRY(take_frames());
    while (!exit_code_ && !left_) TRY(wait_once());
    return left_ ? 0 : *exit_code_;
  }

 private:
  Status take_signals() {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int number : kForwarded) ::sigaddset(&set, number);
    ::sigaddset(&set, SIGWINCH);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    signals_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_) return fail_errno("signalfd");
    return {};
  }

  Status wait_once() {
    std::array<pollfd, 3> fds{pollfd{channel_.socket.get(), POLLIN, 0}, pollfd{signals_.get(), POLLIN, 0},
                              pollfd{form_.input ? STDIN_FILENO : -1, POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), -1) < 0) {
      if (errno == EINTR) return {};
      return fail_errno("poll");
    }
    if (fds[1].revents != 0) TRY(pass_signal());
    if (fds[2].revents != 0) TRY(pass_input());
    if (fds[0].revents != 0) TRY(read_frames());
    return {};
  }

  Status send(FrameKind kind, std::string_view payload) {
    auto sent = write_frame(channel_.socket.get(), kind, 0, payload);
    // It has ended and its exit code is on its way: let that be read.
    if (!sent && sent.error().code == ErrorCode::kUnavailable) return {};
    return sent;
  }

  Status send_size() {
    const auto size = terminal_size(STDIN_FILENO);
    return size ? send(FrameKind::kResize, encode_size(*size)) : Status{};
  }

  Status pass_signal() {
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof info) != sizeof info) return {};
    if (info.ssi_signo == SIGWINCH) return form_.terminal ? send_size() : Status{};
    if (form_.line) {
      exit_code_ = kSignalBase + static_cast<int>(info.ssi_signo);
      return {};
    }
    if (info.ssi_signo == SIGINT && !count_interrupt()) return {};
    return send(FrameKind::kSignal, encode_u32(info.ssi_signo));
  }

  // Whether this one is to be passed on: who asks a third time is not obeyed in there.
  bool count_interrupt() {
    const std::string name = form_.name.empty() ? "NAME" : form_.name;
    ++interrupts_;
    if (interrupts_ == kMostInterrupts) {
      note(cat("skerry: ", form_.give_up ? form_.give_up()
                                         : cat("let go; it may still run (end it with: skerry kill ", name, ")")));
      exit_code_ = kExitInterrupted;
      return false;
    }
    if (interrupts_ + 1 == kMostInterrupts) {
      note(cat("skerry: passed on again (SIGINT); once more, and ",
               form_.give_up ? "it is killed and removed" : "it is left to itself"));
    }
    return true;
  }

  Status pass_input() {
    std::array<char, 16384> chunk;
    const auto got = ::read(STDIN_FILENO, chunk.data(), chunk.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return {};
    if (got <= 0) {
      form_.input = false;
      return send(FrameKind::kStdinEof, {});
    }
    const std::string_view bytes(chunk.data(), static_cast<std::size_t>(got));
    if (form_.terminal && leaves(bytes)) {
      left_ = true;
      return {};
    }
    return send(FrameKind::kStdin, bytes);
  }

  bool leaves(std::string_view bytes) {
    for (const char letter : bytes) {
      if (saw_first_ && letter == kLeaveSecond) return true;
      saw_first_ = letter == kLeaveFirst;
    }
    return false;
  }

  [[nodiscard]] Status broken() const {
    return fail(ErrorCode::kUnavailable, "the connection to skerryd broke before the command ended; it may go on",
                cat("look with: skerry ls", form_.look.empty() ? "" : cat(", then: skerry ", form_.look)));
  }

  Status read_frames() {
    std::string chunk(kChunk, '\0');
    const auto read = sys::read(channel_.socket.get(), chunk.data(), chunk.size());
    if (!read && read.error().sys_errno == ECONNRESET) return broken();
    const auto got = TRY(read);
    if (got == 0) return broken();
    channel_.parser.feed({chunk.data(), got});
    return take_frames();
  }

  Status take_frames() {
    while (true) {
      const auto frame = TRY(channel_.parser.next());
      if (!frame) return {};
      if (frame->kind == FrameKind::kStdout) TRY(sys::write_all(STDOUT_FILENO, frame->payload));
      if (frame->kind == FrameKind::kStderr) TRY(sys::write_all(STDERR_FILENO, frame->payload));
      if (frame->kind == FrameKind::kExit) exit_code_ = static_cast<int>(TRY(decode_u32(frame->payload)));
    }
  }

  FrameChannel channel_;
  ConversationForm form_;
  Fd signals_;
  std::optional<RawMode> raw_;
  std::optional<int> exit_code_;
  int interrupts_ = 0;
  bool left_ = false;
  bool saw_first_ = false;
};

}  // namespace

Result<int> converse(FrameChannel channel, const ConversationForm& form) {
  Talk talk(std::move(channel), form);
  return talk.run();
}

}  // namespace skerry::cli
