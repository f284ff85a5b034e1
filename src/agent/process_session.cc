#include "agent/process_session.h"

#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <tuple>
#include <utility>

namespace skerry::agent {
namespace {

constexpr Duration kHangUpGrace = std::chrono::seconds(2);
// A terminal passes on what was written to it in its own time; its end of file is awaited this long, since a process
// left in the background may hold it open.
constexpr Duration kTerminalDrain = std::chrono::milliseconds(500);

}  // namespace

ProcessSession::ProcessSession(EventLoop& loop, Channel& channel, std::uint32_t number, Launched launched,
                               std::function<void(int)> ended)
    : loop_(loop),
      channel_(channel),
      number_(number),
      pid_(launched.pid),
      terminal_(!launched.error.valid()),
      ended_(std::move(ended)) {
  const auto pump = [&](Fd fd, FrameKind kind) {
    return std::make_unique<OutputPump>(loop, channel, std::move(fd), kind, number, [this] { output_ended(); });
  };
  if (launched.input) input_ = std::make_unique<InputPump>(loop, channel, std::move(launched.input), number);
  output_ = pump(std::move(launched.output), FrameKind::kStdout);
  if (!terminal_) error_ = pump(std::move(launched.error), FrameKind::kStderr);
}

ProcessSession::~ProcessSession() { loop_.cancel(timer_); }

void ProcessSession::signal(int number) const {
  if (!shell_code_) ::kill(pid_, number);
}

void ProcessSession::resize(TerminalSize size) {
  if (!terminal_ || output_->closed()) return;
  const winsize window{size.rows, size.columns, 0, 0};
  ::ioctl(output_->fd(), TIOCSWINSZ, &window);
}

// The host gave the session up: the whole process group gets a chance to end, then none.
void ProcessSession::hang_up() {
  if (shell_code_) return;
  ::kill(-pid_, SIGHUP);
  loop_.cancel(timer_);
  timer_ = loop_.after(kHangUpGrace, [this] {
    if (!shell_code_) ::kill(-pid_, SIGKILL);
  });
}

void ProcessSession::on_frame(const Frame& frame) {
  switch (frame.kind) {
    case FrameKind::kStdin:
      if (input_ && !input_->write(frame.payload)) hang_up();
      break;
    case FrameKind::kStdinEof:
      // A terminal has no half-close: end of input is the character Control-D (termios(3), VEOF).
      if (input_ && terminal_) std::ignore = input_->write("\x04");
      if (input_ && !terminal_) input_->finish();
      break;
    case FrameKind::kResize:
      if (const auto size = decode_size(frame.payload)) resize(*size);
      break;
    case FrameKind::kSignal:
      if (const auto number = decode_u32(frame.payload); number && *number > 0 && *number < NSIG) {
        signal(static_cast<int>(*number));
      }
      break;
    case FrameKind::kPause:
    case FrameKind::kResume:
      output_->pause(frame.kind == FrameKind::kPause);
      if (error_) error_->pause(frame.kind == FrameKind::kPause);
      break;
    case FrameKind::kClose: hang_up(); break;
    default: break;
  }
}

void ProcessSession::on_room() {
  output_->on_room();
  if (error_) error_->on_room();
}

void ProcessSession::exited(int wait_status) {
  shell_code_ = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
  loop_.cancel(timer_);
  timer_ = 0;
  if (input_) input_->close();
  if (!terminal_) return finish_output();
  timer_ = loop_.after(kTerminalDrain, [this] { finish_output(); });
  output_ended();
}

void ProcessSession::finish_output() {
  output_->finish();
  if (error_) error_->finish();
  output_ended();
}

void ProcessSession::output_ended() {
  if (!shell_code_ || !output_->closed() || (error_ && !error_->closed())) return;
  if (const auto ended = std::exchange(ended_, nullptr)) ended(*shell_code_);
}

}  // namespace skerry::agent
