#include "keeper/process_stdio.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <array>

#include "base/sys_file.h"
#include "base/text.h"
#include "base/unix_socket.h"

namespace skerry::keeper {
namespace {

// What a terminal's line discipline takes for the end of input (termios(3), VEOF).
constexpr std::string_view kEndOfTransmission = "\x04";

}  // namespace

Result<std::unique_ptr<ProcessStdio>> ProcessStdio::open(const Spec& spec, Handlers handlers) {
  std::unique_ptr<ProcessStdio> stdio(new ProcessStdio(spec, std::move(handlers)));
  TRY(stdio->open_pipes());
  if (spec.terminal) stdio->console_ = TRY(unix_listen(spec.console_path, 0600, 1));
  return stdio;
}

// With a terminal the pipes are the runtime's own, for its complaints.
Status ProcessStdio::open_pipes() {
  if (spec_.stdin_mode == StdinMode::kOpen && !spec_.terminal) {
    auto in = TRY(sys::pipe());
    child_in_ = std::move(in.read_end);
    own_in_ = std::move(in.write_end);
  } else {
    child_in_ = TRY(sys::open("/dev/null", O_RDONLY));
  }
  auto out = TRY(sys::pipe());
  auto err = TRY(sys::pipe());
  child_out_ = std::move(out.write_end);
  own_out_ = std::move(out.read_end);
  child_err_ = std::move(err.write_end);
  own_err_ = std::move(err.read_end);
  return {};
}

std::vector<SpawnSpec::InheritFd> ProcessStdio::child_fds() const {
  return {{child_in_.get(), 0}, {child_out_.get(), 1}, {child_err_.get(), 2}};
}

Status ProcessStdio::take_console() {
  const Fd socket = TRY_IN("console socket", unix_accept(console_.get()));
  auto message = TRY_IN("console socket", receive_with_fds(socket.get(), 4096));
  if (message.fds.size() != 1) return fail(ErrorCode::kCorrupt, "the runtime sent no terminal");
  pty_ = std::move(message.fds[0]);
  console_.reset();
  static_cast<void>(sys::unlink(spec_.console_path));
  resize(spec_.size);
  return {};
}

Status ProcessStdio::start(EventLoop& loop) {
  child_in_.reset();
  child_out_.reset();
  child_err_.reset();
  if (spec_.terminal) {
    if (!pty_) return fail(ErrorCode::kUnavailable, "the runtime sent no terminal", "is process.terminal set?");
    own_out_.reset();
    own_err_.reset();
    out_ = TRY(reader(loop, std::move(pty_), LogStream::kStdout, Direction::kBoth));
    in_ = out_;
    return {};
  }
  out_ = TRY(reader(loop, std::move(own_out_), LogStream::kStdout, Direction::kRead));
  err_ = TRY(reader(loop, std::move(own_err_), LogStream::kStderr, Direction::kRead));
  if (!own_in_) return {};
  Connection::Handlers handlers;
  handlers.gone = [this](const std::string&) {
    in_.reset();
    handlers_.uncongested();
  };
  handlers.drained = [this] { handlers_.uncongested(); };
  in_ = TRY(Connection::open(loop, std::move(own_in_), Direction::kWrite, std::move(handlers)));
  return {};
}

Result<std::shared_ptr<Connection>> ProcessStdio::reader(EventLoop& loop, Fd fd, LogStream stream,
                                                         Direction direction) {
  Connection::Handlers handlers;
  handlers.bytes = [this, stream](std::string_view bytes) { handlers_.output(stream, bytes); };
  handlers.gone = [this, stream](const std::string&) { output_ended(stream); };
  handlers.drained = [this] { handlers_.uncongested(); };
  return Connection::open(loop, std::move(fd), direction, std::move(handlers));
}

void ProcessStdio::output_ended(LogStream stream) {
  (stream == LogStream::kStdout ? out_ : err_).reset();
  if (spec_.terminal) in_.reset();
  if (!out_ && !err_) handlers_.ended();
}

std::string ProcessStdio::read_error_text() const {
  if (!own_err_ || !sys::set_nonblocking(own_err_.get())) return {};
  std::array<char, 4096> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
  const auto got = sys::read(own_err_.get(), buffer.data(), buffer.size());
  return got ? std::string(trim(std::string_view(buffer.data(), *got))) : std::string();
}

void ProcessStdio::write_stdin(std::string_view bytes) {
  if (in_) in_->send(bytes);
}

void ProcessStdio::end_stdin() {
  if (!in_) return;
  if (spec_.terminal) {
    in_->send(kEndOfTransmission);
    return;
  }
  in_->finish();
}

void ProcessStdio::resize(TerminalSize size) {
  const int fd = pty_ ? pty_.get() : (spec_.terminal && out_ ? out_->fd() : -1);
  if (fd < 0) return;
  winsize window{};
  window.ws_col = size.columns;
  window.ws_row = size.rows;
  ::ioctl(fd, TIOCSWINSZ, &window);
}

bool ProcessStdio::congested() const { return in_ && in_->queued() > kCongestedAt; }

void ProcessStdio::pause_output() {
  if (out_) out_->pause();
  if (err_) err_->pause();
}

void ProcessStdio::resume_output() {
  if (out_) out_->resume();
  if (err_) err_->resume();
}

}  // namespace skerry::keeper
