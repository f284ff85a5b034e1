#include "testing/fake_driver.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <utility>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "base/unix_socket.h"

namespace skerry::testing {
namespace {

constexpr auto kHoldLimit = std::chrono::seconds(10);

// Calls that the port allows beside any other call for the same environment.
bool may_overlap(DriverCall call) {
  return call == DriverCall::kObserve || call == DriverCall::kExec || call == DriverCall::kAttach ||
         call == DriverCall::kStats;
}
bool is_look(DriverCall call) { return may_overlap(call) || call == DriverCall::kWatch || call == DriverCall::kAdopt; }

}  // namespace

std::string_view to_text(DriverCall call) {
  switch (call) {
    case DriverCall::kStart: return "start";
    case DriverCall::kObserve: return "observe";
    case DriverCall::kWatch: return "watch";
    case DriverCall::kAdopt: return "adopt";
    case DriverCall::kStop: return "stop";
    case DriverCall::kSignal: return "signal";
    case DriverCall::kPause: return "pause";
    case DriverCall::kResume: return "resume";
    case DriverCall::kLimit: return "limit";
    case DriverCall::kCollect: return "collect";
    case DriverCall::kDestroy: return "destroy";
    case DriverCall::kExec: return "exec";
    case DriverCall::kAttach: return "attach";
    case DriverCall::kStats: return "stats";
    case DriverCall::kSuspend: return "suspend";
    case DriverCall::kSave: return "save";
    case DriverCall::kRestore: return "restore";
    case DriverCall::kPrepare: return "prepare";
  }
  return "?";
}

// Holds the driver's lock for the call, and counts it as under way for its environment until it goes.
class FakeDriver::Turn {
 public:
  Turn(FakeDriver& driver, std::unique_lock<std::mutex> lock, std::string id, bool counted)
      : driver_(&driver), lock_(std::move(lock)), id_(std::move(id)), counted_(counted) {}
  Turn(Turn&& other) noexcept
      : driver_(std::exchange(other.driver_, nullptr)),
        lock_(std::move(other.lock_)),
        id_(std::move(other.id_)),
        counted_(other.counted_) {}
  Turn& operator=(Turn&&) = delete;
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    if (driver_ != nullptr && counted_) --driver_->under_way_[id_];
  }

 private:
  FakeDriver* driver_;
  std::unique_lock<std::mutex> lock_;
  std::string id_;
  bool counted_;
};

Result<FakeDriver::Turn> FakeDriver::enter(DriverCall call, const std::string& id, std::string record) {
  std::unique_lock lock(mutex_);
  ++counts_[call];
  if (!is_look(call)) calls_[id].push_back(std::move(record));
  const bool counted = !may_overlap(call);
  if (counted && under_way_[id]++ > 0) {
    violations_.push_back(cat(to_text(call), " of ", id, " while another call was under way"));
  }
  bool released = true;
  if (held_.contains(call)) {
    ++waiting_[call];
    changed_.notify_all();
    released = changed_.wait_for(lock, kHoldLimit, [&] { return !held_.contains(call); });
    --waiting_[call];
  }
  Turn turn(*this, std::move(lock), id, counted);
  if (!released) return fail(ErrorCode::kDeadlineExceeded, cat("held ", to_text(call), " was never released"));
  if (cut_off_) return fail(ErrorCode::kUnavailable, cat(to_text(call), " of a daemon that was killed"));
  if (const auto failure = failures_.find(call); failure != failures_.end() && failure->second.times > 0) {
    --failure->second.times;
    return fail(failure->second.error);
  }
  return turn;
}

// ── what a test does ──

void FakeDriver::set_availability(Availability availability) {
  const std::lock_guard lock(mutex_);
  availability_ = std::move(availability);
}

void FakeDriver::fail_next(DriverCall call, Error error, int times) {
  const std::lock_guard lock(mutex_);
  failures_[call] = {std::move(error), times};
}

void FakeDriver::cut_off() {
  const std::lock_guard lock(mutex_);
  cut_off_ = true;
}

void FakeDriver::reconnect() {
  const std::lock_guard lock(mutex_);
  cut_off_ = false;
}

void FakeDriver::heal() {
  const std::lock_guard lock(mutex_);
  failures_.clear();
  cut_short_ = false;
  end_with_.reset();
  exec_code_ = 0;
  exec_hangs_ = false;
}

void FakeDriver::cut_next_start_short() {
  const std::lock_guard lock(mutex_);
  cut_short_ = true;
}

void FakeDriver::end_next_run_with(int exit_code) {
  const std::lock_guard lock(mutex_);
  end_with_ = exit_code;
}

void FakeDriver::hold(DriverCall call) {
  const std::lock_guard lock(mutex_);
  held_.insert(call);
}

void FakeDriver::release(DriverCall call) {
  const std::lock_guard lock(mutex_);
  held_.erase(call);
  changed_.notify_all();
}

bool FakeDriver::await_held(DriverCall call) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kHoldLimit, [&] { return waiting_[call] > 0; });
}

void FakeDriver::end(Run& run, std::optional<int> exit_code, const std::string& reason) {
  run.observed = {.phase = Phase::kExited, .pid = 0, .exit_code = exit_code, .reason = reason};
  ::eventfd_write(run.over.get(), 1);
}

void FakeDriver::end_run(const std::string& id, std::optional<int> exit_code, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  if (const auto run = runs_.find(id); run != runs_.end()) end(run->second, exit_code, reason);
}

void FakeDriver::break_run(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto run = runs_.find(id);
  if (run == runs_.end()) return;
  run->second.observed = {.phase = Phase::kBroken, .pid = 0, .exit_code = std::nullopt, .reason = "broken by the test"};
  ::eventfd_write(run->second.over.get(), 1);
}

void FakeDriver::reboot() {
  const std::lock_guard lock(mutex_);
  for (auto& [id, run] : runs_) ::eventfd_write(run.over.get(), 1);
  runs_.clear();
}

Phase FakeDriver::phase(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto run = runs_.find(id);
  return run == runs_.end() ? Phase::kAbsent : run->second.observed.phase;
}

std::set<std::string> FakeDriver::runs() const {
  const std::lock_guard lock(mutex_);
  std::set<std::string> ids;
  for (const auto& [id, run] : runs_) ids.insert(id);
  return ids;
}

std::vector<Launch> FakeDriver::launches(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = launches_.find(id);
  return found == launches_.end() ? std::vector<Launch>{} : found->second;
}

std::vector<std::string> FakeDriver::calls(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = calls_.find(id);
  return found == calls_.end() ? std::vector<std::string>{} : found->second;
}

std::vector<std::string> FakeDriver::prepared() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> ids;
  for (const auto& [id, lives] : prepared_) ids.push_back(id);
  return ids;
}

void FakeDriver::end_prepared(const std::string& id) {
  const std::lock_guard lock(mutex_);
  if (const auto found = prepared_.find(id); found != prepared_.end()) found->second = false;
}

int FakeDriver::count(DriverCall call) const {
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find(call);
  return found == counts_.end() ? 0 : found->second;
}

void FakeDriver::set_exec_answer(std::string out, int exit_code) {
  const std::lock_guard lock(mutex_);
  exec_out_ = std::move(out);
  exec_code_ = exit_code;
  exec_hangs_ = false;
}

void FakeDriver::hang_execs() {
  const std::lock_guard lock(mutex_);
  exec_hangs_ = true;
}

bool FakeDriver::hung_up_on() const {
  const std::lock_guard lock(mutex_);
  return std::ranges::all_of(hanging_, [](const Fd& end) {
    pollfd poll_fd{end.get(), 0, 0};
    return ::poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLHUP) != 0;
  });
}

std::vector<ExecSpec> FakeDriver::execs(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = execs_.find(id);
  return found == execs_.end() ? std::vector<ExecSpec>{} : found->second;
}

std::vector<std::string> FakeDriver::violations() const {
  const std::lock_guard lock(mutex_);
  return violations_;
}

// ── Driver ──

Availability FakeDriver::availability() {
  const std::lock_guard lock(mutex_);
  return availability_;
}

Result<Started> FakeDriver::start(const Launch& launch) {
  const std::string& id = launch.place.id;
  const Turn turn = TRY(enter(DriverCall::kStart, id, "start"));
  if (runs_.contains(id)) {
    violations_.push_back(cat("start of ", id, " upon an earlier run"));
    return fail(ErrorCode::kAlreadyExists, cat("start ", id));
  }
  prepared_.erase(id);
  Run run;
  run.over = Fd(::eventfd(0, EFD_CLOEXEC));
  if (!run.over) return fail_errno("eventfd");
  if (std::exchange(cut_short_, false)) {
    run.observed = {.phase = Phase::kBroken, .pid = 0, .exit_code = std::nullopt, .reason = "cut short"};
    runs_.emplace(id, std::move(run));
    return fail(ErrorCode::kCancelled, cat("start ", id, " was cut short"));
  }
  const std::int64_t pid = next_pid_++;
  run.observed = {.phase = Phase::kRunning, .pid = pid, .exit_code = std::nullopt, .reason = {}};
  if (const auto code = std::exchange(end_with_, std::nullopt)) end(run, code, {});
  Started started;
  started.pid = pid;
  if (launch.attach) started.stdio = Conversation{TRY(unix_pair()).first, 0};
  launches_[id].push_back(launch);
  suspended_.erase(id);
  runs_.emplace(id, std::move(run));
  return started;
}

Status FakeDriver::prepare(const Launch& launch, WarmMode mode) {
  const std::string& id = launch.place.id;
  const Turn turn = TRY(enter(DriverCall::kPrepare, id, cat("prepare ", skerry::to_text(mode))));
  if (runs_.contains(id) || prepared_.contains(id)) {
    violations_.push_back(cat("prepare of ", id, " upon what is there"));
    return fail(ErrorCode::kConflict, cat("prepare ", id));
  }
  TRY(sys::mkdir_all(launch.place.state_dir, 0700));
  TRY(sys::mkdir_all(launch.place.run_dir, 0700));
  prepared_[id] = true;
  return {};
}

Result<Observation> FakeDriver::observe(const EnvironmentPlace& place) {
  const Turn turn = TRY(enter(DriverCall::kObserve, place.id, {}));
  const auto run = runs_.find(place.id);
  if (run != runs_.end()) return run->second.observed;
  Observation nothing;
  if (const auto found = prepared_.find(place.id); found != prepared_.end() && !found->second) {
    nothing.phase = Phase::kBroken;
  }
  nothing.suspended = suspended_.contains(place.id);
  return nothing;
}

Result<Fd> FakeDriver::watch(const EnvironmentPlace& place) {
  const Turn turn = TRY(enter(DriverCall::kWatch, place.id, {}));
  const auto run = runs_.find(place.id);
  if (run == runs_.end()) return fail(ErrorCode::kNotFound, cat("watch ", place.id, ": no run"));
  return sys::dup(run->second.over.get());
}

// The run, when it is running or paused.
Result<FakeDriver::Run*> FakeDriver::living(const std::string& id, std::string_view verb) {
  const auto run = runs_.find(id);
  const bool alive = run != runs_.end() &&
                     (run->second.observed.phase == Phase::kRunning || run->second.observed.phase == Phase::kPaused);
  if (!alive) return fail(ErrorCode::kConflict, cat(verb, " ", id, ": it does not run"));
  return &run->second;
}

Status FakeDriver::stop(const EnvironmentPlace& place, const StopRequest& request) {
  const Turn turn = TRY(enter(DriverCall::kStop, place.id, cat("stop ", request.grace_ms)));
  // Not running is success.
  if (const auto run = living(place.id, "stop")) end(**run, request.grace_ms == 0 ? 137 : 143, {});
  return {};
}

Status FakeDriver::signal(const EnvironmentPlace& place, int signal_number) {
  const Turn turn = TRY(enter(DriverCall::kSignal, place.id, cat("signal ", signal_number)));
  TRY(living(place.id, "signal"));
  return {};
}

Status FakeDriver::pause(const EnvironmentPlace& place) {
  const Turn turn = TRY(enter(DriverCall::kPause, place.id, "pause"));
  TRY(living(place.id, "pause"))->observed.phase = Phase::kPaused;
  return {};
}

Status FakeDriver::adopt(const EnvironmentPlace& place) {
  const Turn turn = TRY(enter(DriverCall::kAdopt, place.id, "adopt"));
  TRY(living(place.id, "adopt"));
  return {};
}

Status FakeDriver::resume(const EnvironmentPlace& place) {
  const Turn turn = TRY(enter(DriverCall::kResume, place.id, "resume"));
  TRY(living(place.id, "resume"))->observed.phase = Phase::kRunning;
  return {};
}

Status FakeDriver::suspend(const EnvironmentPlace& place) {
  const Turn turn = TRY(enter(DriverCall::kSuspend, place.id, "suspend"));
  TRY(living(place.id, "suspend"));
  runs_.erase(place.id);
  suspended_.insert(place.id);
  return {};
}

Status FakeDriver::discard_suspended(const EnvironmentPlace& place) {
  const Turn turn = TRY(enter(DriverCall::kSuspend, place.id, "discard"));
  suspended_.erase(place.id);
  return {};
}

Status FakeDriver::save(const EnvironmentPlace& place, const std::string& directory) {
  const Turn turn = TRY(enter(DriverCall::kSave, place.id, "save"));
  const bool memory = runs_.contains(place.id) || suspended_.contains(place.id);
  return write_file_atomic(cat(directory, memory ? "/memory" : "/disk"), place.id, 0600);
}

Status FakeDriver::restore(const EnvironmentPlace& place, const std::string& directory) {
  const Turn turn = TRY(enter(DriverCall::kRestore, place.id, "restore"));
  if (sys::exists(directory + "/memory")) {
    suspended_.insert(place.id);
    return {};
  }
  TRY(read_file(directory + "/disk"));
  return {};
}

Status FakeDriver::limit(const EnvironmentPlace& place, const Resources& resources) {
  const Turn turn = TRY(enter(DriverCall::kLimit, place.id, cat("limit ", resources.memory_mib)));
  TRY(living(place.id, "limit"));
  return {};
}

Status FakeDriver::collect(const EnvironmentPlace& place, Kind /*kind*/) {
  const Turn turn = TRY(enter(DriverCall::kCollect, place.id, "collect"));
  prepared_.erase(place.id);
  if (const auto run = runs_.find(place.id); run != runs_.end()) {
    ::eventfd_write(run->second.over.get(), 1);
    runs_.erase(run);
  }
  return {};
}

Status FakeDriver::destroy(const EnvironmentPlace& place) {
  const Turn turn = TRY(enter(DriverCall::kDestroy, place.id, "destroy"));
  if (const auto run = runs_.find(place.id); run != runs_.end()) {
    ::eventfd_write(run->second.over.get(), 1);
    runs_.erase(run);
  }
  prepared_.erase(place.id);
  TRY(sys::remove_tree(place.run_dir));
  return sys::remove_tree(place.state_dir);
}

Result<Conversation> FakeDriver::exec(const EnvironmentPlace& place, const ExecSpec& spec) {
  const Turn turn = TRY(enter(DriverCall::kExec, place.id, {}));
  TRY(living(place.id, "exec"));
  execs_[place.id].push_back(spec);
  auto pair = TRY(unix_pair());
  if (exec_hangs_) {
    hanging_.push_back(std::move(pair.second));
    return Conversation{std::move(pair.first), 0};
  }
  if (!exec_out_.empty()) TRY(write_frame(pair.second.get(), FrameKind::kStdout, 0, exec_out_));
  TRY(write_frame(pair.second.get(), FrameKind::kExit, 0, encode_u32(static_cast<std::uint32_t>(exec_code_))));
  return Conversation{std::move(pair.first), 0};
}

Result<Conversation> FakeDriver::attach(const EnvironmentPlace& place) {
  const Turn turn = TRY(enter(DriverCall::kAttach, place.id, {}));
  TRY(living(place.id, "attach"));
  auto pair = TRY(unix_pair());
  return Conversation{std::move(pair.first), 0};
}

Result<UsageSample> FakeDriver::stats(const EnvironmentPlace& place) {
  const Turn turn = TRY(enter(DriverCall::kStats, place.id, {}));
  const auto found = prepared_.find(place.id);
  if (found == prepared_.end() || !found->second) TRY(living(place.id, "stats"));
  UsageSample sample;
  sample.cpu_ns = 1'000'000;
  sample.memory_bytes = 1U << 20U;
  sample.pids = 1;
  return sample;
}

Result<Fd> FakeDriver::guest_events(const EnvironmentPlace& place) {
  const std::lock_guard lock(mutex_);
  TRY(living(place.id, "guest events"));
  auto pair = TRY(unix_pair());
  guests_[place.id] = std::move(pair.second);
  return std::move(pair.first);
}

bool FakeDriver::tell(const std::string& id, const wire::AgentEvent& event) {
  const std::lock_guard lock(mutex_);
  const auto guest = guests_.find(id);
  return guest != guests_.end() &&
         write_frame(guest->second.get(), FrameKind::kEvent, 0, wire::encode_event(event)).has_value();
}

}  // namespace skerry::testing
