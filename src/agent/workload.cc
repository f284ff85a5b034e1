#include "agent/workload.h"

#include <csignal>
#include <string>
#include <tuple>

#include "agent/restart.h"
#include "agent/stats.h"
#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::agent {
namespace {

constexpr const char* kCgroup = "/sys/fs/cgroup/workload";

// The cgroup2 hierarchy may be missing in an odd kernel: then the process group has to do.
std::string make_cgroup() {
  if (!sys::exists("/sys/fs/cgroup/cgroup.procs")) return {};
  const auto made = sys::mkdir_all(kCgroup, 0755);
  return made ? kCgroup : "";
}

// The controller is switched on by the parent, then the limit is the child's own (cgroup v2 documentation, "PID").
Status limit_processes(const std::string& cgroup, std::uint32_t most) {
  if (most == 0) return {};
  if (cgroup.empty()) return fail(ErrorCode::kUnsupported, "the guest's kernel has no cgroups");
  TRY(write_existing("/sys/fs/cgroup/cgroup.subtree_control", "+pids"));
  return write_existing(cgroup + "/pids.max", std::to_string(most));
}

std::uint64_t count_oom_kills() { return oom_kills_in(read_file("/proc/vmstat", 1U << 16U).value_or("")); }

}  // namespace

Workload::Workload(EventLoop& loop, Channel& channel, const wire::BootDocument& document, Handlers handlers)
    : loop_(loop),
      channel_(channel),
      document_(document),
      handlers_(std::move(handlers)),
      process_(document.workload),
      cgroup_(make_cgroup()),
      state_(document.workload.argv.empty() ? State::kNone : State::kWaiting) {
  if (process_.cwd.empty()) process_.cwd.push_back('/');
}

Workload::~Workload() { loop_.cancel(timer_); }

Status Workload::start(const std::vector<std::string>& extra_env) {
  if (state_ == State::kNone) return {};
  if (state_ != State::kWaiting) return fail(ErrorCode::kConflict, "the workload has been started already");
  process_.env.insert(process_.env.end(), extra_env.begin(), extra_env.end());
  return run();
}

Status Workload::run() {
  TRY_IN("limit of processes", limit_processes(cgroup_, document_.pids_max));
  oom_kills_before_ = count_oom_kills();
  std::ignore = sys::mkdir_all(process_.cwd, 0755);  // as OCI runtimes do; chdir tells when it failed
  auto launched = TRY(launch(process_, {.cgroup = cgroup_}));
  started_ = SystemClock().monotonic();
  state_ = State::kRunning;
  session_ = std::make_unique<ProcessSession>(loop_, channel_, 0, std::move(launched), [this](int shell_code) {
    loop_.after(Duration(0), [this, shell_code] { over(shell_code); });
  });
  wire::AgentEvent event;
  event.type = wire::AgentEvent::Type::kWorkloadStarted;
  event.pid = pid();
  event.restarts = restarts_;
  handlers_.event(event);
  return {};
}

void Workload::exited(int wait_status) { session_->exited(wait_status); }

void Workload::over(int shell_code) {
  // Whatever it left running would hold its ports and files against the next start.
  kill();
  session_.reset();
  last_code_ = shell_code;
  out_of_memory_ = shell_code == 128 + SIGKILL && count_oom_kills() > oom_kills_before_;
  if (SystemClock().monotonic() - started_ >= kProvenRun) restarts_ = 0;
  const auto delay = stopping_ ? std::nullopt : restart_delay(document_.restart, shell_code, restarts_);
  if (!delay) return end(shell_code);
  state_ = State::kBackingOff;
  wire::AgentEvent event;
  event.type = wire::AgentEvent::Type::kWorkloadExited;
  event.exit_code = shell_code;
  event.restarts = restarts_;
  event.backoff_ms = static_cast<std::uint32_t>(*delay / std::chrono::milliseconds(1));
  handlers_.event(event);
  timer_ = loop_.after(*delay, [this] { run_again(); });
}

void Workload::run_again() {
  ++restarts_;
  const auto started = run();
  if (started) return;
  wire::AgentEvent event;
  event.reason = started.error().message();
  handlers_.event(event);
  end(started.error().code == ErrorCode::kCommandNotFound ? 127 : 126);
}

void Workload::end(int shell_code) {
  state_ = State::kEnded;
  handlers_.ended(shell_code, out_of_memory_);
}

void Workload::stop() {
  stopping_ = true;
  if (state_ == State::kRunning) return session_->signal(document_.stop_signal);
  if (state_ == State::kEnded) return;
  loop_.cancel(timer_);
  end(last_code_);
}

void Workload::signal(int number) {
  if (session_) session_->signal(number);
}

void Workload::kill() {
  // cgroup.kill ends the whole tree, also what left the process group (cgroup v2 documentation).
  if (!cgroup_.empty() && write_existing(cat(cgroup_, "/cgroup.kill"), "1")) return;
  if (session_) ::kill(-session_->pid(), SIGKILL);
}

}  // namespace skerry::agent
