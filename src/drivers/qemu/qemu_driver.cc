#include "drivers/qemu/qemu_driver.h"

#include <unistd.h>

#include <algorithm>

#include "base/file_io.h"
#include "base/log.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "drivers/cgroup_usage.h"
#include "drivers/qemu/accelerator_probe.h"
#include "drivers/qemu/qemu_driver_parts.h"
#include "drivers/qemu/shares.h"
#include "network/port.h"

namespace skerry {
namespace qemu {
namespace {

// A guest that is being shut down by its agent: what comes on top of the grace it was given.
constexpr Duration kShutdownMargin = std::chrono::seconds(5);
// How many guests of a probe may be late before a daemon believes that the host is as slow as that.
constexpr int kMostLateProbes = 3;

}  // namespace

QemuDriver::QemuDriver(JailConfig jail, ImageStore& images, QemuConfig config)
    : jail_(std::move(jail)),
      config_(std::move(config)),
      images_(images),
      own_token_(cat(::getpid(), ".", SystemClock().monotonic().ns)),
      templates_(config_.most_templates) {
  if (config_.most_templates == 0) return;
  // Of a killed daemon: it may be long until another one is made.
  if (auto cleared = clear_template(jail_, template_place()); !cleared) {
    log::warning("a template is left", {{"error", cleared.error().message()}});
  }
}

EnvironmentPlace QemuDriver::template_place() const {
  const std::string directory = config_.cache_dir + "/template";
  return {"template", "template", directory + "/state", directory + "/run"};
}

SavedRun suspended(const EnvironmentPlace& place) { return {place.state_dir + "/suspended"}; }
std::string machine_path(const EnvironmentPlace& place) { return place.run_dir + "/machine"; }
std::string overlay_path(const EnvironmentPlace& place) { return place.state_dir + "/overlay.img"; }

std::string unfinished_path(const EnvironmentPlace& place) { return place.run_dir + "/unfinished"; }
Status begin_unfinished(const EnvironmentPlace& place) { return write_file_atomic(unfinished_path(place), "", 0600); }
Status finish(const EnvironmentPlace& place) {
  auto gone = sys::unlink(unfinished_path(place));
  if (!gone && gone.error().code == ErrorCode::kNotFound) return {};
  return gone;
}

// ── accelerator ──

Result<AcceleratorVerdict> QemuDriver::accelerator() {
  const std::lock_guard lock(verdict_mutex_);
  if (verdict_) return *verdict_;
  switch (config_.accel) {
    case AccelChoice::kTcg:
      verdict_ = AcceleratorVerdict{Accelerator::kTcg, "TCG, as configured; the jail is the security boundary"};
      break;
    case AccelChoice::kKvm:
      if (auto obstacle = kvm_obstacle(); !obstacle.empty()) {
        return fail(ErrorCode::kUnsupported, cat("KVM, as configured: ", obstacle), "use --accel auto");
      }
      verdict_ = AcceleratorVerdict{Accelerator::kKvm, "KVM, as configured"};
      break;
    case AccelChoice::kAuto:
      TRY(sys::mkdir_all(config_.cache_dir, 0755));
      const std::string key = TRY(accelerator_key(config_.program));
      auto verdict = TRY(probe_accelerator(config_.cache_dir + "/accelerator", key, [this]() -> Status {
        return boot_under_kvm(jail_, config_.program, TRY(boot_files()), config_.cache_dir + "/probe");
      }));
      // The next start asks again, but not for ever: each time costs it seconds.
      if (!verdict.settled && ++late_probes_ < kMostLateProbes) return verdict;
      verdict_ = verdict;
      break;
  }
  return *verdict_;
}

Result<std::string> QemuDriver::accelerator_key_once() {
  const std::lock_guard lock(verdict_mutex_);
  if (host_key_.empty()) host_key_ = TRY(accelerator_key(config_.program));
  return host_key_;
}

Availability QemuDriver::availability() {
  if (auto jail = jail_.availability(); !jail.available) return jail;
  for (const auto& path : {config_.program, config_.agent}) {
    if (!sys::exists(path)) return {false, cat(path, " is missing")};
  }
  if (const auto files = boot_files(); !files) return {false, files.error().message()};
  const auto verdict = accelerator();
  return verdict ? Availability{true, verdict->reason} : Availability{false, verdict.error().message()};
}

// ── life ──

// A guest that was never told who it is counts for nothing, alive or dead.
Result<Observation> QemuDriver::observe(const EnvironmentPlace& place) {
  auto observed = TRY(observe_run(place));
  if (!sys::exists(unfinished_path(place)) || observed.restarts_spent) return observed;
  if (observed.phase == Phase::kRunning && prepared_for_us(place)) return Observation{};
  observed.phase = Phase::kBroken;
  observed.exit_code.reset();
  observed.suspended = false;
  observed.reason = "a start was cut short";
  return observed;
}

Result<Observation> QemuDriver::observe_run(const EnvironmentPlace& place) {
  auto observed = TRY(jail_.observe(place));
  if (observed.phase == Phase::kExited) {
    // The VMM's own exit code says nothing about the workload.
    const auto exit = read_keeper_exit(place.run_dir);
    // The agent has followed the restart policy before it told the workload's end.
    observed.restarts_spent = exit && exit->workload_code.has_value();
    if (exit && !exit->workload_code && !observed.exit_code.value_or(0)) observed.exit_code.reset();
    if (exit && !exit->workload_code && observed.reason.empty()) {
      observed.reason = "the guest went down without telling why: a panic, or power off from inside";
    }
  }
  // The shares are served, and devices taken, before there is a VMM.
  if (observed.phase == Phase::kAbsent &&
      (sys::exists(place.run_dir + "/vmm") || has_shares(place) || has_host_devices(place))) {
    observed.phase = Phase::kBroken;
    observed.reason = "a start was cut short";
  }
  if (observed.phase == Phase::kRunning && has_shares(place)) {
    const auto server = TRY(jail_.observe(shares_place(place)));
    if (server.phase != Phase::kRunning) {
      // The guest would hang at its next look into a directory of the host; nothing can take the server's place.
      observed.phase = Phase::kBroken;
      observed.reason = cat(kShareServer, " ended");
    }
  }
  observed.suspended = observed.phase == Phase::kAbsent && has_memory(suspended(place));
  return observed;
}

Status QemuDriver::require_running(const EnvironmentPlace& place, std::string_view doing) {
  const auto observed = TRY(observe(place));
  if (observed.phase == Phase::kRunning) return {};
  const bool paused = observed.phase == Phase::kPaused;
  return fail(ErrorCode::kConflict, cat(doing, " ", place.name, ": it ", paused ? "is paused" : "does not run"),
              paused ? "resume it first" : "start it first");
}

Status QemuDriver::stop(const EnvironmentPlace& place, const StopRequest& request) {
  const auto observed = TRY(observe(place));
  const bool alive = observed.phase == Phase::kRunning || observed.phase == Phase::kPaused;
  if (!alive || request.grace_ms == 0) return jail_.kill(place);
  if (observed.phase == Phase::kPaused) TRY(jail_.thaw(place));
  wire::AgentRequest shutdown;
  shutdown.op = wire::AgentOp::kShutdown;
  shutdown.grace_ms = request.grace_ms;
  const Duration grace = std::chrono::milliseconds(request.grace_ms);
  auto agent = AgentClient::connect(place.run_dir);
  // No answer is no reason to wait less: the guest may be going down already.
  if (agent) static_cast<void>(agent->request(shutdown, std::min(grace, kAgentTimeout)));
  if (agent && TRY(jail_.await_end(place, grace + kShutdownMargin))) return {};
  return jail_.kill(place);
}

Status QemuDriver::signal(const EnvironmentPlace& place, int signal_number) {
  TRY(require_running(place, "signal"));
  auto agent = TRY(AgentClient::connect(place.run_dir));
  wire::AgentRequest request;
  request.op = wire::AgentOp::kSignal;
  request.signal = signal_number;
  TRY(agent.request(request, kAgentTimeout));
  return {};
}

Result<Conversation> QemuDriver::exec(const EnvironmentPlace& place, const ExecSpec& spec) {
  TRY(require_running(place, "run a command in"));
  if (spec.argv.empty()) return fail(ErrorCode::kInvalidArgument, "no command to run");
  auto agent = TRY(AgentClient::connect(place.run_dir));
  wire::AgentRequest request;
  request.op = spec.program == ExecSpec::Program::kAgent ? wire::AgentOp::kCopy : wire::AgentOp::kExec;
  request.process.argv = spec.argv;
  for (const auto& [name, value] : spec.env) request.process.env.push_back(cat(name, "=", value));
  request.process.cwd = spec.workdir;
  request.process.user = spec.user;
  request.process.terminal = spec.terminal;
  request.process.size = spec.size;
  request.process.stdin_open = true;
  return std::move(agent).open(request, kAgentTimeout);
}

Result<Fd> QemuDriver::guest_events(const EnvironmentPlace& place) {
  const auto broken = read_file(KeeperPaths{place.run_dir}.channel_error());
  if (broken) return fail(ErrorCode::kCorrupt, cat("its agent is lost: ", trim(*broken)));
  return unix_connect(KeeperPaths{place.run_dir}.channel_socket("agent"));
}

// Its network is what the host counts at its port: the jail has none, and the guest's word needs a guest that answers.
Result<UsageSample> QemuDriver::stats(const EnvironmentPlace& place) {
  constexpr std::size_t kMostInterfaces = 16U << 20U;  // bytes of text, a line of some 120 each
  UsageSample sample = TRY(jail_.usage(place));
  const auto suffix = network::port_name("", place.id).substr(network::port_prefix("").size());
  if (const auto text = read_file("/proc/thread-self/net/dev", kMostInterfaces)) add_port_usage(*text, suffix, sample);
  return sample;
}

Result<Conversation> QemuDriver::serial(const EnvironmentPlace& place) {
  Conversation conversation;
  conversation.socket = TRY(unix_connect(KeeperPaths{place.run_dir}.channel_socket("console")));
  conversation.plain = true;
  return conversation;
}

// ── end ──

Status QemuDriver::collect(const EnvironmentPlace& place, Kind kind) {
  TRY(jail_.remove(place));
  TRY(stop_shares(jail_, place));
  TRY(give_back_host_devices(place));
  TRY(network::detach(place.id));
  // A memory on disk is worth nothing with another disk: a start that could not use it leaves both.
  if (kind != Kind::kApp && !has_memory(suspended(place))) {
    if (auto gone = sys::unlink(overlay_path(place)); !gone && gone.error().code != ErrorCode::kNotFound) return gone;
  }
  // Last: as long as there are files, there is something to collect.
  return sys::remove_tree(place.run_dir);
}

Status QemuDriver::destroy(const EnvironmentPlace& place) {
  TRY(collect(place, Kind::kDisposable));
  return sys::remove_tree(place.state_dir);
}

}  // namespace qemu

Result<AccelChoice> parse_accel(std::string_view text) {
  if (text == "auto") return AccelChoice::kAuto;
  if (text == "kvm") return AccelChoice::kKvm;
  if (text == "tcg") return AccelChoice::kTcg;
  return fail(ErrorCode::kInvalidArgument, cat("accelerator \"", text, "\" is not auto, kvm or tcg"));
}

std::unique_ptr<Driver> make_qemu_driver(JailConfig jail, ImageStore& images, QemuConfig config) {
  return std::make_unique<qemu::QemuDriver>(std::move(jail), images, std::move(config));
}

}  // namespace skerry
