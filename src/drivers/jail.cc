#include "drivers/jail.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/cgroup_paths.h"
#include "base/file_io.h"
#include "base/rollback.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "drivers/cgroup_usage.h"
#include "drivers/keeper_client.h"

namespace skerry {
namespace {

// One call of the runtime, but for create (JailConfig::create_timeout).
constexpr Duration kRuntimeTimeout = std::chrono::seconds(60);
// After SIGKILL: the kernel frees the memory, the keeper drains the pipes and writes the exit.
constexpr Duration kKillTimeout = std::chrono::seconds(30);
// A keeper that has written the exit stays for its clients at most this long (keeper/keeper_run.h, kFarewellTime), and
// a bit.
constexpr Duration kLeaveTimeout = std::chrono::seconds(4);

std::string bundle_of(const EnvironmentPlace& place) { return place.run_dir + "/bundle"; }
std::string config_of(const EnvironmentPlace& place) { return bundle_of(place) + "/config.json"; }
std::string cgroups_of(const EnvironmentPlace& place) { return place.run_dir + "/cgroups"; }
std::string started_of(const EnvironmentPlace& place) { return place.run_dir + "/started"; }

CgroupDirectories recorded_cgroups(const EnvironmentPlace& place) {
  const auto text = read_file(cgroups_of(place));
  return text ? decode_cgroups(*text) : CgroupDirectories{};
}

Status check_program(const std::string& path, std::string_view name) {
  if (::access(path.c_str(), X_OK) == 0) return {};
  return fail_errno(cat(name, " (", path, ")"));
}

Observation broken(std::int64_t pid, std::string reason) {
  return {.phase = Phase::kBroken, .pid = pid, .exit_code = std::nullopt, .reason = std::move(reason)};
}

Observation exited(const KeeperExit& exit) {
  Observation observed;
  observed.phase = Phase::kExited;
  observed.exit_code = exit.shell_code();
  observed.reason = exit.oom_killed.value_or(false) ? "out of memory" : exit.note;
  return observed;
}

// What the runtime wrote last is why it failed.
std::string last_line(std::string_view text) {
  text = trim(text);
  return std::string(trim(text.substr(text.rfind('\n') + 1)));
}

}  // namespace

Availability Jail::availability() const {
  for (const auto& [path, name] :
       {std::pair(config_.runtime, "skerry-oci"), std::pair(config_.keeper, "skerry-keeper")}) {
    if (auto found = check_program(path, name); !found) return {false, found.error().message()};
  }
  return {true, cat("by ", config_.runtime)};
}

std::vector<std::string> Jail::runtime_command(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), {config_.runtime, "--root", config_.runtime_root});
  return arguments;
}

Status Jail::run_runtime(std::vector<std::string> arguments, std::string_view step) const {
  SpawnSpec spec;
  spec.argv = runtime_command(std::move(arguments));
  const auto output = TRY_IN(step, run_command(spec, kRuntimeTimeout));
  if (output.status.success()) return {};
  const auto code = output.status.code == 127   ? ErrorCode::kCommandNotFound
                    : output.status.code == 126 ? ErrorCode::kNotExecutable
                                                : ErrorCode::kInternal;
  std::string why = last_line(output.err);
  if (why.empty()) why = output.status.describe();
  return fail(code, cat(step, ": ", why));
}

// ── begin ──

Result<pid_t> Jail::launch(const EnvironmentPlace& place, const JailSpec& spec, KeeperRunSpec keeper,
                           const Fd& client) {
  if (TRY(observe(place)).phase != Phase::kAbsent) {
    return fail(ErrorCode::kAlreadyExists, cat("jail ", place.id, ": there is one, or the rest of one"));
  }
  oci::Spec config = spec.config;
  config.linux_part.cgroups_path = cat(config_.cgroup_parent, "/", place.id);
  TRY(sys::mkdir_all(config_.runtime_root, 0700));
  TRY(sys::mkdir_all(bundle_of(place), 0700));
  Rollback undo;
  undo.add([&] { static_cast<void>(remove(place)); });
  TRY(write_file_atomic(config_of(place), oci::to_json(config), 0600));
  const auto groups = hierarchies_.directories_of(config.linux_part.cgroups_path);
  TRY(write_file_atomic(cgroups_of(place), encode_cgroups(groups), 0600));

  keeper.run_dir = place.run_dir;
  keeper.log_path = place.log_path();
  keeper.terminal = config.process && config.process->terminal;
  keeper.terminal_size = spec.terminal_size;
  keeper.stdin_mode = spec.stdin_mode;
  keeper.channels = spec.channels;
  keeper.guest_socket = spec.guest_socket;
  keeper.root_fd = spec.root_fd;
  keeper.companion = spec.companion;
  keeper.oom_file = oom_count_file(groups);
  keeper.runtime = config_.runtime;
  keeper.runtime_args = {"--root", config_.runtime_root};
  keeper.bundle = bundle_of(place);
  keeper.id = place.id;
  const pid_t pid =
      TRY(run_keeper(config_.keeper, std::move(keeper), {spec.fds, spec.runtime_fds, client}, config_.create_timeout));
  undo.commit();
  return pid;
}

Result<pid_t> Jail::create(const EnvironmentPlace& place, const JailSpec& spec) {
  return launch(place, spec, {}, Fd());
}

Status Jail::start(const EnvironmentPlace& place) {
  TRY(run_runtime({"start", place.id}, cat("start ", place.name)));
  return write_file_atomic(started_of(place), "", 0600);
}

Result<Started> Jail::run(const EnvironmentPlace& place, const JailSpec& spec, bool attach) {
  Started started;
  KeeperRunSpec keeper;
  keeper.start = true;
  Fd client;
  if (attach) {
    auto pair = TRY(unix_pair());
    client = std::move(pair.first);
    started.stdio = Conversation{std::move(pair.second), 0};
  }
  started.pid = TRY(launch(place, spec, std::move(keeper), client));
  TRY(write_file_atomic(started_of(place), "", 0600));
  return started;
}

// ── look ──

Result<Observation> Jail::observe(const EnvironmentPlace& place) const {
  const auto view = TRY(view_keeper(place.run_dir));
  const bool started = sys::exists(started_of(place));
  if (view.exit && started) return exited(*view.exit);
  if (!view.pids) {
    if (view.exit || started || sys::exists(bundle_of(place))) return broken(0, "a start was cut short");
    return Observation{};
  }
  const std::int64_t main_pid = view.main ? view.pids->main : 0;
  if (!started) return broken(main_pid, "a start was cut short");
  if (view.keeper) {
    const Phase phase = is_frozen(recorded_cgroups(place)) ? Phase::kPaused : Phase::kRunning;
    return Observation{.phase = phase, .pid = view.pids->main, .exit_code = std::nullopt, .reason = {}};
  }
  if (view.main) return broken(main_pid, "its keeper was killed");
  Observation lost;
  lost.phase = Phase::kExited;
  lost.reason = "its keeper was killed, the exit code is not known";
  return lost;
}

Result<Fd> Jail::watch(const EnvironmentPlace& place) const {
  auto view = TRY(view_keeper(place.run_dir));
  if (!view.keeper) return fail(ErrorCode::kNotFound, cat("watch ", place.name, ": no run"));
  return std::move(view.keeper);
}

Result<bool> Jail::await_end(const EnvironmentPlace& place, Duration timeout) const {
  const auto view = TRY(view_keeper(place.run_dir));
  if (view.keeper) return has_ended(view.keeper.get(), timeout);
  if (view.main) return has_ended(view.main.get(), timeout);
  return true;
}

Result<oci::Spec> Jail::read_config(const EnvironmentPlace& place) const {
  const std::string text = TRY(read_file(config_of(place)));
  return annotate(oci::parse_spec(text), config_of(place));
}

// ── steer ──

Status Jail::signal(const EnvironmentPlace& place, int signal_number) const {
  const auto view = TRY(view_keeper(place.run_dir));
  if (!view.main) return fail(ErrorCode::kConflict, cat("signal ", place.name, ": it does not run"));
  return send_signal(view.main.get(), signal_number);
}

Status Jail::kill(const EnvironmentPlace& place) const {
  if (TRY(await_end(place, Duration::zero()))) return {};
  // Over already: its keeper is about to leave, or takes leave of a slow client.
  if (const auto view = TRY(view_keeper(place.run_dir)); view.exit && !view.main) {
    if (TRY(await_end(place, kLeaveTimeout))) return {};
  }
  // Without the runtime's record of the container there is still the main process: with the init of a PID namespace
  // the kernel ends all others (pid_namespaces(7)).
  if (auto killed = run_runtime({"kill", "--all", place.id, "KILL"}, cat("kill ", place.name)); !killed) {
    TRY(signal(place, SIGKILL));
  }
  // In a v1 freezer a killed process stays until it is thawed.
  if (is_frozen(recorded_cgroups(place))) TRY(thaw(place));
  if (TRY(await_end(place, kKillTimeout))) return {};
  return fail(ErrorCode::kDeadlineExceeded, cat("kill ", place.name, ": it has not ended in time"));
}

Status Jail::freeze(const EnvironmentPlace& place) const {
  return run_runtime({"pause", place.id}, cat("pause ", place.name));
}

Status Jail::thaw(const EnvironmentPlace& place) const {
  return run_runtime({"resume", place.id}, cat("resume ", place.name));
}

Status Jail::limit(const EnvironmentPlace& place, const oci::Resources& limits) const {
  std::vector<std::string> arguments{"update"};
  const auto add = [&](const char* flag, const auto& value) {
    if (value) arguments.insert(arguments.end(), {flag, cat(*value)});
  };
  if (limits.memory) {
    add("--memory", limits.memory->limit);
    add("--memory-swap", limits.memory->swap);
  }
  if (limits.cpu) {
    add("--cpu-period", limits.cpu->period_us);
    add("--cpu-quota", limits.cpu->quota_us);
    add("--cpu-share", limits.cpu->shares);
  }
  add("--pids-limit", limits.pids_limit);
  arguments.push_back(place.id);
  return run_runtime(std::move(arguments), cat("limit ", place.name));
}

Status Jail::remove(const EnvironmentPlace& place) const {
  TRY(kill(place));
  // Where the start was completed and the keeper's name is on record, kill() has ended all there was. Otherwise a
  // keeper or a runtime that nobody has noted may be at work: all processes of the host are looked at.
  const bool complete = sys::exists(started_of(place)) && read_keeper_pids(place.run_dir);
  if (!complete) TRY(kill_strays(bundle_of(place), kKillTimeout));
  return run_runtime({"delete", "--force", place.id}, cat("remove ", place.name));
}

Status Jail::clear(const EnvironmentPlace& place) const {
  TRY(remove(place));
  const KeeperPaths keeper{place.run_dir};
  for (const auto& path : {keeper.exit(), keeper.event(), keeper.channel_error(), keeper.ready(), keeper.pid(),
                           cgroups_of(place), started_of(place), bundle_of(place)}) {
    TRY(sys::remove_tree(path));
  }
  return {};
}

// ── talk ──

namespace {

// A file of its own for every exec: several may begin at once.
Result<std::string> write_process_file(const EnvironmentPlace& place, const oci::Process& process) {
  std::string path = place.run_dir + "/exec-XXXXXX";
  const Fd file(::mkostemp(path.data(), O_CLOEXEC));
  if (!file) return fail_errno(cat("create ", path));
  TRY(sys::write_all(file.get(), oci::to_json(process)));
  return path;
}

}  // namespace

Result<Conversation> Jail::exec(const EnvironmentPlace& place, const oci::Process& process, TerminalSize size,
                                int program) {
  const std::string file = TRY(write_process_file(place, process));
  Rollback remove_file;
  remove_file.add([&] { static_cast<void>(sys::unlink(file)); });

  constexpr int kSocketNumber = 3;
  constexpr int kProgramNumber = 4;
  KeeperExecSpec spec;
  spec.socket_fd = kSocketNumber;
  spec.runtime = config_.runtime;
  spec.runtime_args = {"--root", config_.runtime_root};
  spec.id = place.id;
  spec.process_file = file;
  spec.terminal = process.terminal;
  spec.terminal_size = size;
  if (program >= 0) spec.program_fd = kProgramNumber;
  auto pair = TRY(unix_pair());
  SpawnSpec spawn;
  spawn.argv = keeper_arguments(spec);
  spawn.argv.insert(spawn.argv.begin(), config_.keeper);
  spawn.fds = {{pair.second.get(), kSocketNumber}};
  if (program >= 0) spawn.fds.push_back({program, kProgramNumber});
  auto keeper = TRY_IN("start exec keeper", Child::spawn(spawn));
  pair.second.reset();
  TRY(reaper_.adopt(std::move(keeper)));
  TRY(await_exec_report(pair.first.get(), kRuntimeTimeout));
  return Conversation{std::move(pair.first), 0};
}

Result<Conversation> Jail::attach(const EnvironmentPlace& place) const {
  auto socket = unix_connect(KeeperPaths{place.run_dir}.attach_socket());
  if (!socket) return fail(ErrorCode::kConflict, cat("attach to ", place.name, ": it does not run"));
  return Conversation{std::move(*socket), 0};
}

Result<UsageSample> Jail::usage(const EnvironmentPlace& place) const {
  const auto view = TRY(view_keeper(place.run_dir));
  if (!view.main) return fail(ErrorCode::kConflict, cat("statistics of ", place.name, ": it does not run"));
  UsageSample sample = read_cgroup_usage(recorded_cgroups(place));
  if (const auto text = read_file(cat("/proc/", view.pids->main, "/net/dev"))) add_network_usage(*text, sample);
  return sample;
}

}  // namespace skerry
