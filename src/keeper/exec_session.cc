#include "keeper/exec_session.h"

#include <csignal>
#include <optional>

#include "base/temp_dir.h"
#include "keeper/children.h"
#include "keeper/connection.h"
#include "keeper/process_stdio.h"
#include "keeper/runtime_call.h"

namespace skerry::keeper {
namespace {

// Output of children that the process left behind with its pipes is waited for this long.
constexpr Duration kDrainTime = std::chrono::seconds(1);
// A peer that takes nothing of the last output holds the session up no longer than this.
constexpr Duration kFarewellTime = std::chrono::seconds(10);
constexpr int kProgramFd = 3;
constexpr int kFailedCode = 125;
constexpr int kNotExecutableCode = 126;
constexpr int kNotFoundCode = 127;

int failure_code(ErrorCode code) {
  if (code == ErrorCode::kCommandNotFound) return kNotFoundCode;
  return code == ErrorCode::kNotExecutable ? kNotExecutableCode : kFailedCode;
}

class ExecSession {
 public:
  ExecSession(const KeeperExecSpec& spec, EventLoop loop, TempDir scratch)
      : spec_(spec), loop_(std::move(loop)), scratch_(std::move(scratch)) {}
  Status run();

 private:
  Status open_peer();
  Status open_stdio();
  Result<pid_t> start();
  void on_frame(const Frame& frame);
  void output(LogStream stream, std::string_view bytes);
  void peer_took_all();
  void hang_up();
  void process_ended(ExitStatus status);
  void await_rest();
  void say_farewell(std::size_t queued_before);
  void finish();

  const KeeperExecSpec& spec_;
  EventLoop loop_;
  TempDir scratch_;
  std::unique_ptr<ProcessStdio> stdio_;
  std::shared_ptr<FrameConnection> peer_;
  std::unique_ptr<Children> children_;
  std::optional<ExitStatus> status_;
  bool stdio_ended_ = false;
  bool hung_up_ = false;
  bool finished_ = false;
};

Status ExecSession::run() {
  TRY(open_peer());
  TRY(open_stdio());
  const auto pid = start();
  peer_->send(FrameKind::kResponse, 0, encode_report(pid));
  if (!pid) {
    peer_->send(FrameKind::kExit, 0, encode_u32(static_cast<std::uint32_t>(failure_code(pid.error().code))));
    finished_ = true;
    if (peer_->queued() == 0) return {};
    loop_.after(kFarewellTime, [this] { loop_.stop(); });
  }
  return loop_.run();
}

Status ExecSession::open_peer() {
  FrameConnection::Handlers handlers;
  handlers.frame = [this](const Frame& frame) { on_frame(frame); };
  handlers.gone = [this](const std::string&) { hang_up(); };
  handlers.drained = [this] { peer_took_all(); };
  peer_ = TRY(FrameConnection::open(loop_, Fd(spec_.socket_fd), std::move(handlers)));
  return {};
}

Status ExecSession::open_stdio() {
  ProcessStdio::Spec spec;
  spec.terminal = spec_.terminal;
  spec.size = spec_.terminal_size;
  spec.stdin_mode = StdinMode::kOpen;
  spec.console_path = scratch_ / "console-socket";
  ProcessStdio::Handlers handlers;
  handlers.output = [this](LogStream stream, std::string_view bytes) { output(stream, bytes); };
  handlers.ended = [this] {
    stdio_ended_ = true;
    if (status_) finish();
  };
  handlers.uncongested = [this] { peer_->resume(); };
  handlers.signal = [this](int number) {
    if (children_) children_->signal_main(number);
  };
  stdio_ = TRY(ProcessStdio::open(spec, std::move(handlers)));
  return {};
}

Result<pid_t> ExecSession::start() {
  TRY(become_subreaper());
  RuntimeCall call;
  call.runtime = spec_.runtime;
  call.global_args = spec_.runtime_args;
  call.subcommand = {"exec", "--detach", "--process", spec_.process_file};
  if (spec_.terminal) {
    call.subcommand.emplace_back("--tty");
    call.console_path = scratch_ / "console-socket";
  }
  if (spec_.program_fd >= 0) call.extra_fds.push_back({spec_.program_fd, kProgramFd});
  call.id = spec_.id;
  call.scratch_dir = scratch_.path();
  const pid_t pid = TRY(call_runtime(call, *stdio_));
  TRY(stdio_->start(loop_));
  Children::Handlers handlers;
  handlers.main_ended = [this](ExitStatus status) { process_ended(status); };
  handlers.terminate = [this] { hang_up(); };
  children_ = TRY(Children::watch(loop_, pid, std::move(handlers)));
  return pid;
}

void ExecSession::on_frame(const Frame& frame) {
  if (frame.kind == FrameKind::kClose) return hang_up();
  if (!apply_input(*stdio_, frame)) return hang_up();
  if (stdio_->congested()) peer_->pause();
}

// A peer that reads slowly slows the process down, as a pipe would.
void ExecSession::output(LogStream stream, std::string_view bytes) {
  peer_->send(stream == LogStream::kStdout ? FrameKind::kStdout : FrameKind::kStderr, 0, bytes);
  if (peer_->queued() > kCongestedAt) stdio_->pause_output();
}

void ExecSession::peer_took_all() {
  stdio_->resume_output();
  if (finished_) loop_.stop();
}

void ExecSession::hang_up() {
  peer_->close();
  if (!children_ || finished_) return loop_.stop();
  if (hung_up_) return;
  hung_up_ = true;
  stdio_->resume_output();  // read and thrown away: a process that waits to write could not end
  children_->signal_main(SIGHUP);
  loop_.after(kExecGrace, [this] { children_->signal_main(SIGKILL); });
}

void ExecSession::process_ended(ExitStatus status) {
  status_ = status;
  if (stdio_ended_ || hung_up_) return finish();
  await_rest();
}

// As long as the peer has not taken what there was, nothing more is read: the rest is still in its pipe.
void ExecSession::await_rest() {
  loop_.after(kDrainTime, [this] {
    const bool peer_is_slow = !hung_up_ && !peer_->closed() && peer_->queued() > 0;
    peer_is_slow ? await_rest() : finish();
  });
}

void ExecSession::finish() {
  if (finished_) return;
  finished_ = true;
  peer_->send(FrameKind::kExit, 0, encode_u32(static_cast<std::uint32_t>(status_->shell_code())));
  if (peer_->closed() || peer_->queued() == 0) return loop_.stop();
  say_farewell(peer_->queued());
}

// Slow is not gone: it may take its time as long as it takes something.
void ExecSession::say_farewell(std::size_t queued_before) {
  loop_.after(kFarewellTime, [this, queued_before] {
    if (peer_->closed() || peer_->queued() >= queued_before) return loop_.stop();
    say_farewell(peer_->queued());
  });
}

}  // namespace

Status run_exec_session(const KeeperExecSpec& spec) {
  const auto slash = spec.process_file.rfind('/');
  auto scratch = TRY(TempDir::create("exec", slash == std::string::npos ? "." : spec.process_file.substr(0, slash)));
  auto loop = TRY(EventLoop::create());
  ExecSession session(spec, std::move(loop), std::move(scratch));
  return session.run();
}

}  // namespace skerry::keeper
