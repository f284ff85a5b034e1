#include "keeper/keeper_run.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <optional>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "keeper/attach_server.h"
#include "keeper/byte_channel.h"
#include "keeper/children.h"
#include "keeper/framed_channel.h"
#include "keeper/guest_socket.h"
#include "keeper/log_writer.h"
#include "keeper/oom_watch.h"
#include "keeper/process_stdio.h"
#include "keeper/runtime_call.h"

namespace skerry::keeper {
namespace {

// A line without its end (a prompt) goes to the log after this long.
constexpr Duration kPartialLineTime = std::chrono::seconds(1);

// What a keeper told to leave still takes of the output of a process that has ended.
constexpr Duration kHurriedDrainTime = std::chrono::milliseconds(100);
// Between the end of a companion and the end of what cannot live without it.
constexpr Duration kCompanionTime = std::chrono::milliseconds(200);

// A run whose workload's own exit status nobody knows, as `run` tells it (docs/API.md).
constexpr int kExitWithoutCode = 125;

class Keeper {
 public:
  Keeper(const KeeperRunSpec& spec, EventLoop loop) : spec_(spec), paths_{spec.run_dir}, loop_(std::move(loop)) {}
  Status prepare();
  Result<pid_t> create();
  Status keep();

 private:
  [[nodiscard]] bool has_agent() const {
    return std::ranges::any_of(spec_.channels, [](const auto& c) { return c.mode == ChannelMode::kFramed; });
  }
  Status open_stdio();
  Status open_channel(const KeeperChannel& channel);
  Status open_framed(const KeeperChannel& channel, Fd own_end);
  Status record_pids(pid_t main);

  void workload_output(LogStream stream, std::string_view bytes);
  void process_output(LogStream stream, std::string_view bytes);
  void flush_later();
  void uncongested();
  void channel_closed(const std::string& name, const std::string& reason);
  void end_vmm();
  Status watch_companion();
  void companion_ended();

  void main_ended(ExitStatus status);
  void finish_when_drained();
  void finish();
  int tell_end();
  void leave_when_flushed();

  const KeeperRunSpec& spec_;
  KeeperPaths paths_;
  EventLoop loop_;
  SystemClock clock_;
  std::optional<LogWriter> log_;
  std::optional<LogWriter> process_log_;  // the VMM's own output, where the workload's is a guest's
  std::unique_ptr<ProcessStdio> stdio_;
  std::unique_ptr<FramedChannel> agent_;
  std::unique_ptr<GuestSocket> guest_socket_;
  std::map<std::string, std::unique_ptr<ByteChannel>> byte_channels_;
  std::map<int, Fd> child_ends_;  // of the channels, by number in the main process; closed once it has them
  std::unique_ptr<AttachServer> attach_;
  std::unique_ptr<Children> children_;
  std::optional<OomWatch> oom_;
  Fd companion_;  // pidfd
  std::optional<KeeperExit> exit_;
  std::optional<int> workload_code_;
  bool guest_out_of_memory_ = false;
  std::string note_;
  bool stdio_ended_ = false;
  bool finished_ = false;
  bool flush_pending_ = false;
};

Status Keeper::prepare() {
  auto file = TRY(RotatingFile::open(spec_.log_path, spec_.log_max_bytes, spec_.log_files));
  log_.emplace(std::move(file), clock_);
  if (has_agent()) {
    auto vmm_file = TRY(RotatingFile::open(spec_.log_path + ".vmm", spec_.log_max_bytes, spec_.log_files));
    process_log_.emplace(std::move(vmm_file), clock_);
  }
  TRY(open_stdio());
  for (const auto& channel : spec_.channels) TRY_IN(cat("channel ", channel.name), open_channel(channel));
  WorkloadInput& input = agent_ ? static_cast<WorkloadInput&>(*agent_) : *stdio_;
  attach_ = TRY(AttachServer::open(loop_, paths_.attach_socket(), input));
  if (spec_.attach_fd >= 0) attach_->accept(Fd(spec_.attach_fd));
  return {};
}

Status Keeper::open_stdio() {
  ProcessStdio::Spec spec;
  spec.terminal = spec_.terminal;
  spec.size = spec_.terminal_size;
  spec.stdin_mode = spec_.stdin_mode;
  spec.console_path = spec_.run_dir + "/console-socket";
  ProcessStdio::Handlers handlers;
  handlers.output = [this](LogStream stream, std::string_view bytes) { process_output(stream, bytes); };
  handlers.ended = [this] {
    stdio_ended_ = true;
    finish_when_drained();
  };
  handlers.uncongested = [this] { uncongested(); };
  handlers.signal = [this](int number) {
    if (children_) children_->signal_main(number);
  };
  stdio_ = TRY(ProcessStdio::open(spec, std::move(handlers)));
  return {};
}

Status Keeper::open_channel(const KeeperChannel& channel) {
  auto pair = TRY(unix_pair());
  if (channel.mode == ChannelMode::kFramed) {
    if (!spec_.guest_socket.empty()) {
      guest_socket_ = TRY(GuestSocket::open(loop_, spec_.guest_socket, std::move(pair.second)));
    } else {
      child_ends_[channel.child_fd] = std::move(pair.second);
    }
    return open_framed(channel, std::move(pair.first));
  }
  child_ends_[channel.child_fd] = std::move(pair.second);
  std::optional<RotatingFile> log;
  if (channel.mode == ChannelMode::kConsole) {
    log = TRY(RotatingFile::open(spec_.log_path + ".console", spec_.log_max_bytes, spec_.log_files));
  }
  byte_channels_[channel.name] =
      TRY(ByteChannel::open(loop_, paths_.channel_socket(channel.name), std::move(pair.first), channel.mode,
                            std::move(log), [this] { finish_when_drained(); }));
  return {};
}

Status Keeper::open_framed(const KeeperChannel& channel, Fd own_end) {
  FramedChannel::Handlers handlers;
  handlers.output = [this](LogStream stream, std::string_view bytes) { workload_output(stream, bytes); };
  handlers.workload_exited = [this](int code, bool out_of_memory) {
    workload_code_ = code;
    guest_out_of_memory_ = out_of_memory;
  };
  handlers.closed = [this, name = channel.name](const std::string& reason) { channel_closed(name, reason); };
  handlers.uncongested = [this] { uncongested(); };
  agent_ = TRY(FramedChannel::open(loop_, channel.name, std::move(own_end), paths_, std::move(handlers)));
  return {};
}

Result<pid_t> Keeper::create() {
  RuntimeCall call;
  call.runtime = spec_.runtime;
  call.global_args = spec_.runtime_args;
  call.subcommand = {spec_.start ? "run" : "create", "--bundle", spec_.bundle};
  if (spec_.start) call.subcommand.emplace_back("--detach");
  call.id = spec_.id;
  call.scratch_dir = spec_.run_dir;
  if (spec_.terminal) call.console_path = spec_.run_dir + "/console-socket";
  for (const auto& [number, fd] : child_ends_) call.extra_fds.push_back({fd.get(), number});
  for (const int fd : spec_.preserve_fds) call.extra_fds.push_back({fd, fd});
  call.own_fds = spec_.runtime_fds;
  if (spec_.root_fd >= 0) call.subcommand.insert(call.subcommand.end(), {"--root-fd", cat(spec_.root_fd)});
  const pid_t main = TRY(call_runtime(call, *stdio_));
  child_ends_.clear();
  // A copy kept here would hold a tap, a disk or a mount for as long as the keeper lives.
  for (const int fd : spec_.preserve_fds) ::close(fd);
  for (const int fd : spec_.runtime_fds) ::close(fd);
  TRY(stdio_->start(loop_));
  Children::Handlers handlers;
  handlers.main_ended = [this](ExitStatus status) { main_ended(status); };
  handlers.terminate = [this] {
    if (exit_) loop_.after(kHurriedDrainTime, [this] { finish(); });
  };
  children_ = TRY(Children::watch(loop_, main, std::move(handlers)));
  oom_.emplace(spec_.oom_file.empty() ? OomWatch::of_process(main) : OomWatch(spec_.oom_file));
  TRY(record_pids(main));
  TRY(watch_companion());
  return main;
}

Status Keeper::record_pids(pid_t main) {
  KeeperPids pids;
  pids.main = main;
  pids.main_start = TRY(process_start_time(main));
  pids.keeper = ::getpid();
  pids.keeper_start = TRY(process_start_time(pids.keeper));
  const std::string boot_id = TRY(read_file("/proc/sys/kernel/random/boot_id", 64));
  pids.boot_id = trim(boot_id);
  return write_file_atomic(paths_.pid(), encode_pids(pids), 0600);
}

Status Keeper::keep() { return loop_.run(); }

Status Keeper::watch_companion() {
  if (!spec_.companion) return {};
  auto process = open_same_process(spec_.companion->pid, spec_.companion->start);
  if (!process) {
    companion_ended();
    return {};
  }
  companion_ = std::move(*process);
  return loop_.watch(companion_.get(), EPOLLIN, [this](std::uint32_t) {
    loop_.forget(companion_.get());
    companion_ended();
  });
}

// It may have ended because the main process did, whose end is about to be heard.
void Keeper::companion_ended() {
  loop_.after(kCompanionTime, [this] {
    if (exit_) return;
    note_ = cat(spec_.companion->name, " ended");
    log_->note(note_);
    children_->signal_main(SIGKILL);
  });
}

// ── output ──

void Keeper::workload_output(LogStream stream, std::string_view bytes) {
  log_->write(stream, bytes);
  attach_->broadcast(stream, bytes);
  flush_later();
}

void Keeper::process_output(LogStream stream, std::string_view bytes) {
  if (!process_log_) return workload_output(stream, bytes);
  process_log_->write(stream, bytes);
  flush_later();
}

void Keeper::flush_later() {
  const bool holds = log_->holds_partial_line() || (process_log_ && process_log_->holds_partial_line());
  if (flush_pending_ || !holds) return;
  flush_pending_ = true;
  loop_.after(kPartialLineTime, [this] {
    flush_pending_ = false;
    log_->flush();
    if (process_log_) process_log_->flush();
  });
}

void Keeper::uncongested() {
  if (attach_) attach_->resume_clients();
}

void Keeper::channel_closed(const std::string& name, const std::string& reason) {
  if (!reason.empty()) {
    note_ = cat("channel ", name, " closed: ", reason);
    log_->note(note_);
  }
  if (guest_socket_ && reason.empty()) end_vmm();
  finish_when_drained();
}

// A guest that panicked or restarts itself is over for us; this VMM would start it again.
void Keeper::end_vmm() {
  if (exit_ || !children_) return;
  children_->signal_main(SIGTERM);
  loop_.after(kGuestGrace, [this] {
    if (!exit_) children_->signal_main(SIGKILL);
  });
}

// ── the end ──

void Keeper::main_ended(ExitStatus status) {
  exit_.emplace();
  exit_->status = status;
  exit_->ended = clock_.now();
  exit_->oom_killed = oom_->struck();
  if (guest_socket_) guest_socket_->close();
  loop_.after(kDrainTime, [this] { finish(); });
  finish_when_drained();
}

void Keeper::finish_when_drained() {
  const bool channels_closed = (!agent_ || agent_->closed()) && std::ranges::all_of(byte_channels_, [](const auto& e) {
                                 return e.second && e.second->closed();
                               });
  if (exit_ && stdio_ended_ && channels_closed) finish();
}

void Keeper::finish() {
  if (finished_) return;
  finished_ = true;
  log_->flush();
  if (process_log_) process_log_->flush();
  exit_->workload_code = workload_code_;
  if (guest_out_of_memory_) exit_->oom_killed = true;
  exit_->note = note_;
  // Without this file a driver takes the environment for lost: worth a second try, when a full disk has room again.
  if (!write_file_atomic(paths_.exit(), encode_exit(*exit_), 0600)) {
    loop_.after(std::chrono::seconds(1), [this] {
      finished_ = false;
      finish();
    });
    return;
  }
  attach_->broadcast_exit(tell_end());
  loop_.after(kFarewellTime, [this] { loop_.stop(); });
  leave_when_flushed();
}

// An end that the exit code alone does not explain is explained to whoever is attached. Returns the code to tell.
int Keeper::tell_end() {
  const std::string_view end_of_line = spec_.terminal ? "\r\n" : "\n";
  int code = exit_->shell_code();
  if (agent_ && !exit_->workload_code && code == 0) {
    // The VMM's own success is none of the workload.
    code = kExitWithoutCode;
    attach_->broadcast(
        LogStream::kStderr,
        cat("skerry: the guest went down without an exit status: a panic, or power off from inside", end_of_line));
  }
  if (code != 0 && exit_->oom_killed.value_or(false)) {
    attach_->broadcast(LogStream::kStderr, cat("skerry: killed: out of memory (see --memory)", end_of_line));
  }
  return code;
}

void Keeper::leave_when_flushed() {
  if (attach_->flushed()) return loop_.stop();
  loop_.after(std::chrono::milliseconds(10), [this] { leave_when_flushed(); });
}

void report(int sync_fd, const Result<pid_t>& main) {
  if (sync_fd < 0) return;
  const Fd owner(sync_fd);
  static_cast<void>(sys::write_all(sync_fd, encode_report(main)));
}

Result<pid_t> make_main_process(Keeper& keeper) {
  TRY(become_subreaper());
  TRY(keeper.prepare());
  return keeper.create();
}

}  // namespace

Status run_keeper(const KeeperRunSpec& spec) {
  auto loop = EventLoop::create();
  if (!loop) {
    report(spec.sync_fd, std::unexpected(loop.error()));
    return fail(std::move(loop).error());
  }
  Keeper keeper(spec, std::move(*loop));
  const auto main = make_main_process(keeper);
  report(spec.sync_fd, main);
  if (!main) return fail(main.error());
  return keeper.keep();
}

}  // namespace skerry::keeper
