#include "agent/agent.h"

#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <tuple>

#include "agent/dial_session.h"
#include "agent/identity.h"
#include "agent/launch.h"
#include "agent/power.h"
#include "agent/process_session.h"
#include "agent/secrets.h"
#include "agent/stats.h"
#include "base/file_io.h"
#include "base/text.h"

namespace skerry::agent {
namespace {

// Where the kernel has its console (drivers/qemu/guest_plan.cc).
constexpr auto kSerialLine = "/dev/ttyS0";
constexpr Duration kLastWords = std::chrono::seconds(2);

int exit_code_of(const Error& error) {
  if (error.code == ErrorCode::kCommandNotFound) return 127;
  return error.code == ErrorCode::kNotExecutable ? 126 : 125;
}

std::string_view word_of(Workload::State state) {
  switch (state) {
    case Workload::State::kNone: return "none";
    case Workload::State::kWaiting: return "waiting";
    case Workload::State::kRunning:
    case Workload::State::kBackingOff: return "running";
    case Workload::State::kEnded: break;
  }
  return "ended";
}

// These send their response themselves: their stream follows it.
bool answers_by_itself(wire::AgentOp op) {
  return op == wire::AgentOp::kExec || op == wire::AgentOp::kCopy || op == wire::AgentOp::kDial;
}

}  // namespace

Agent::Agent(EventLoop& loop, Fd port, wire::BootDocument document)
    : loop_(loop),
      document_(std::move(document)),
      channel_(loop, std::move(port),
               {.frame = [this](const Frame& frame) { on_frame(frame); },
                .room =
                    [this] {
                      if (auto* workload = workload_.session()) workload->on_room();
                      for (const auto& [number, session] : sessions_) session->on_room();
                    },
                .broken =
                    [this](const Error&) {
                      // A host that does not speak our protocol cannot be served, and nobody else can be asked.
                      shut_down(Duration(0));
                    }}),
      workload_(loop, channel_, document_,
                {.event = [this](const wire::AgentEvent& event) { tell(event); },
                 .ended = [this](int shell_code, bool out_of_memory) { workload_ended(shell_code, out_of_memory); }}),
      serial_(loop, kSerialLine, [this] { return workload_.process(); }) {}

Status Agent::run(const std::vector<std::string>& warnings) {
  TRY(watch_signals());
  TRY(channel_.open());
  for (const auto& warning : warnings) warn(warning);
  if (document_.wait_for_start) {
    // Rather now than when somebody relies on it.
    if (const auto found = check_program(document_.workload); !found) start_error_ = found.error();
  } else {
    if (const auto started = workload_.start(); !started) start_error_ = started.error();
    serve_workload();
  }
  tell_ready();
  if (start_error_) workload_ended(exit_code_of(*start_error_));
  serial_.open(workload_.cgroup());
  TRY(loop_.run());
  end_all_processes();
  channel_.drain(kLastWords);
  return {};
}

// --- signals and children -------------------------------------------------------------------------------------------

Status Agent::watch_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGPWR, SIGHUP, SIGPIPE}) ::sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  ::sigdelset(&set, SIGPIPE);  // only blocked: writes tell by EPIPE
  signals_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return fail_errno("signalfd");
  return loop_.watch(signals_.get(), EPOLLIN, [this](std::uint32_t) { on_signal(); });
}

void Agent::on_signal() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    const auto number = static_cast<int>(info.ssi_signo);
    if (number == SIGCHLD) reap();
    // Ctrl-Alt-Del comes as SIGINT, a power button as SIGPWR (reboot(2), signal(7)).
    if (number == SIGTERM || number == SIGINT || number == SIGPWR) {
      shut_down(std::chrono::milliseconds(document_.stop_grace_ms));
    }
  }
}

void Agent::reap() {
  int status = 0;
  pid_t pid = 0;
  while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) child_ended(pid, status);
}

void Agent::child_ended(pid_t pid, int wait_status) {
  if (pid == workload_.pid()) return workload_.exited(wait_status);
  if (pid == serial_.pid()) return serial_.ended();
  const auto found = processes_.find(pid);
  if (found == processes_.end()) return;  // an orphan
  const auto session = sessions_.find(found->second);
  processes_.erase(found);
  if (session != sessions_.end()) static_cast<ProcessSession&>(*session->second).exited(wait_status);
}

// --- the channel ----------------------------------------------------------------------------------------------------

void Agent::on_frame(const Frame& frame) {
  if (frame.kind == FrameKind::kRequest) return on_request(frame.session, frame.payload);
  if (frame.session == 0) {
    if (auto* workload = workload_.session()) workload->on_frame(frame);
    return;
  }
  const auto found = sessions_.find(frame.session);
  if (found != sessions_.end()) found->second->on_frame(frame);
}

void Agent::on_request(std::uint32_t session, std::string_view payload) {
  channel_.speak();
  wire::AgentResponse response;
  const auto request = wire::decode_request(payload);
  if (session == 0 || sessions_.contains(session)) {
    response.error = Error{ErrorCode::kInvalidArgument, 0, cat("session ", session, " is in use"), {}};
  } else if (!request) {
    response.error = request.error();
  } else {
    response = answer(session, *request);
    if (!response.error && answers_by_itself(request->op)) return;
  }
  channel_.send(FrameKind::kResponse, session, wire::encode_response(response));
  if (request && request->op == wire::AgentOp::kSync) channel_.hush();
}

// The conversations of whoever this guest was before.
void Agent::hang_up_all() {
  for (const auto& [number, session] : sessions_) session->on_frame({FrameKind::kClose, number, {}});
  serial_.hang_up();
}

wire::AgentResponse Agent::answer(std::uint32_t session, const wire::AgentRequest& request) {
  wire::AgentResponse response;
  const auto take = [&](const auto& result) {
    if (!result) response.error = result.error();
  };
  switch (request.op) {
    case wire::AgentOp::kPing: break;
    case wire::AgentOp::kHello: response.body = wire::encode_hello(hello()); break;
    case wire::AgentOp::kExec: take(open_exec(session, request.process)); break;
    case wire::AgentOp::kCopy: take(open_copy(session, request.process)); break;
    case wire::AgentOp::kDial: take(open_dial(session, request.dial)); break;
    case wire::AgentOp::kShutdown: shut_down(std::chrono::milliseconds(request.grace_ms)); break;
    case wire::AgentOp::kStart: take(start_workload(request)); break;
    case wire::AgentOp::kStats: response.body = wire::encode_stats(sample_stats()); break;
    case wire::AgentOp::kSignal: workload_.signal(request.signal); break;
    case wire::AgentOp::kSync: ::sync(); break;
    case wire::AgentOp::kIdentity:
      hang_up_all();
      take(become(request.identity));
      break;
    case wire::AgentOp::kBoot:
    case wire::AgentOp::kRehearse:
      response.error = Error{ErrorCode::kConflict, 0, "the guest has booted already", {}};
      break;
  }
  return response;
}

Status Agent::open_exec(std::uint32_t session, wire::GuestProcess process) {
  const auto& workload = workload_.process();
  std::vector<std::string> env = workload.env;
  env.insert(env.end(), process.env.begin(), process.env.end());
  process.env = std::move(env);
  if (process.cwd.empty()) process.cwd = workload.cwd;
  if (process.user.empty()) process.user = workload.user;
  return open_process(session, process);
}

// This program, whatever the root file system holds.
Status Agent::open_copy(std::uint32_t session, wire::GuestProcess process) {
  process.argv.insert(process.argv.begin(), "/proc/self/exe");
  process.cwd = "/";
  process.user = "0:0";
  process.stdin_open = true;
  return open_process(session, process);
}

Status Agent::open_process(std::uint32_t session, const wire::GuestProcess& process) {
  if (going_down_) return fail(ErrorCode::kConflict, "the guest is shutting down");
  if (sessions_.size() >= kMaxSessions) {
    return fail(ErrorCode::kResourceExhausted, cat("more than ", kMaxSessions, " sessions at once"));
  }
  auto launched = TRY(launch(process, {.cgroup = workload_.cgroup()}));
  const pid_t pid = launched.pid;
  channel_.send(FrameKind::kResponse, session, wire::encode_response({.error = {}, .pid = pid, .body = {}}));
  processes_[pid] = session;
  sessions_[session] = std::make_unique<ProcessSession>(loop_, channel_, session, std::move(launched),
                                                        [this, session](int code) { end_session(session, code); });
  return {};
}

Status Agent::open_dial(std::uint32_t session, const std::string& address) {
  if (sessions_.size() >= kMaxSessions) {
    return fail(ErrorCode::kResourceExhausted, cat("more than ", kMaxSessions, " sessions at once"));
  }
  sessions_[session] = TRY(
      DialSession::open(loop_, channel_, session, address, [this, session](int code) { end_session(session, code); }));
  return {};
}

void Agent::end_session(std::uint32_t session, int shell_code) {
  channel_.send(FrameKind::kExit, session, encode_u32(static_cast<std::uint32_t>(shell_code)));
  // The session is on the call stack now.
  loop_.after(Duration(0), [this, session] { sessions_.erase(session); });
}

void Agent::serve_workload() {
  if (start_error_ || workload_.state() == Workload::State::kNone) return;
  if (!document_.base_url.empty()) {
    const auto url = parse_http_url(document_.base_url);
    auto proxy = url ? Proxy::open(loop_, *url) : fail(Error(url.error()));
    if (proxy) proxy_ = std::move(*proxy);
    // On the proxy's own port the workload is reached without one.
    if (!proxy && proxy.error().code != ErrorCode::kConflict) warn(proxy.error().message());
  }
  if (!document_.health_check) return;
  auto url = resolve_endpoint(document_.base_url, document_.health_check->endpoint);
  if (!url) return warn(url.error().message());
  probe_ = std::make_unique<HealthProbe>(
      loop_, *document_.health_check, std::move(*url), [this](bool healthy, const std::string& reason) {
        wire::AgentEvent event;
        event.type = healthy ? wire::AgentEvent::Type::kHealthy : wire::AgentEvent::Type::kUnhealthy;
        event.reason = reason;
        tell(event);
      });
}

Status Agent::start_workload(const wire::AgentRequest& request) {
  TRY(write_secret_files(request.files));
  auto started = workload_.start(request.env);
  if (!started && workload_.state() == Workload::State::kWaiting) {
    start_error_ = started.error();
    loop_.after(Duration(0), [this] { workload_ended(exit_code_of(*start_error_)); });
  }
  if (started) serve_workload();
  return started;
}

// --- reports to the host --------------------------------------------------------------------------------------------

wire::AgentHello Agent::hello() const {
  wire::AgentHello hello;
  utsname names{};
  ::uname(&names);
  hello.agent_version = SKERRY_VERSION;
  hello.kernel_release = names.release;
  hello.boot_id = std::string(trim(read_file("/proc/sys/kernel/random/boot_id", 64).value_or("")));
  hello.uptime_ms = SystemClock().monotonic().ns / 1'000'000;
  hello.workload = start_error_ ? "failed" : word_of(workload_.state());
  hello.workload_pid = workload_.pid();
  hello.error = start_error_;
  return hello;
}

void Agent::tell_ready() { channel_.send(FrameKind::kReady, 0, wire::encode_hello(hello())); }

void Agent::tell(const wire::AgentEvent& event) { channel_.send(FrameKind::kEvent, 0, wire::encode_event(event)); }

void Agent::warn(const std::string& reason) {
  wire::AgentEvent event;  // its type is a warning
  event.reason = reason;
  tell(event);
}

// --- the end --------------------------------------------------------------------------------------------------------

void Agent::workload_ended(int shell_code, bool out_of_memory) {
  const std::uint32_t why = out_of_memory ? kExitOutOfMemory : 0;
  channel_.send(FrameKind::kExit, 0, encode_u32(static_cast<std::uint32_t>(shell_code) | why));
  loop_.stop();
}

void Agent::shut_down(Duration grace) {
  if (!going_down_) {
    going_down_ = true;
    const auto state = workload_.state();
    if (state == Workload::State::kNone || state == Workload::State::kWaiting) return workload_ended(0);
    workload_.stop();
  }
  // Asked again, perhaps with less patience: the shorter time counts from now.
  loop_.cancel(grace_timer_);
  grace_timer_ = loop_.after(grace, [this] { workload_.kill(); });
}

}  // namespace skerry::agent
