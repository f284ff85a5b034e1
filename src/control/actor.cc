#include "control/actor.h"

#include <csignal>
#include <utility>

#include "base/crash_point.h"
#include "base/file_io.h"
#include "base/log.h"
#include "base/rollback.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "core/admission.h"
#include "core/state_machine.h"

namespace skerry {
namespace {

// A plan that never comes to rest is a bug; it must not hold a worker for ever.
constexpr int kMaxSteps = 32;
constexpr Duration kRetryAfter = std::chrono::seconds(5);
// Those who have hung up are among them until its end.
constexpr std::size_t kMostWaiters = 4096;

}  // namespace

EnvironmentPlace place_of(const ControllerConfig& config, const Environment& environment) {
  return {environment.id, environment.spec.name, cat(config.state_dir, "/environments/", environment.id),
          cat(config.run_dir, "/environments/", environment.id)};
}

Actor::Actor(ActorContext& context, Driver& driver, Environment environment)
    : context_(context),
      driver_(driver),
      place_(place_of(context.config, environment)),
      environment_(std::make_shared<const Environment>(std::move(environment))),
      history_{context.clock.monotonic()},
      started_mono_(context.clock.monotonic()) {}

EnvironmentView Actor::shared() const {
  const std::lock_guard lock(mutex_);
  return environment_;
}

EnvironmentView Actor::view() const {
  const std::lock_guard lock(mutex_);
  return gone_ ? nullptr : environment_;
}

bool Actor::gone() const {
  const std::lock_guard lock(mutex_);
  return gone_;
}

// ── tasks ──

void Actor::command(VerbCommand command, Completion done) {
  if (auto admitted = admit(snapshot(), command.verb); !admitted) {
    done(fail(std::move(admitted).error()));
    return;
  }
  enqueue({std::move(command), std::move(done), false});
}

void Actor::first_start(Completion done, StdioSink stdio) {
  VerbCommand start;
  start.name = place_.name;
  start.verb = Verb::kStart;
  enqueue({std::move(start), std::move(done), true, std::move(stdio)});
}

void Actor::report_health(std::uint64_t incarnation, Health health, std::string reason) {
  enqueue({std::nullopt, nullptr, false, nullptr, HealthReport{incarnation, health, std::move(reason)}});
}

void Actor::report_guest_restart(const Controller::GuestRestart& restart) {
  enqueue(
      {std::nullopt, nullptr, false, nullptr, std::nullopt, [this, restart] { return record_guest_restart(restart); }});
}

void Actor::save_run(const std::string& directory, Completion done) {
  enqueue({std::nullopt, std::move(done), false, nullptr, std::nullopt, [this, directory]() -> Status {
             TRY(admit(snapshot(), Verb::kSave));
             return driver_.save(place_, directory);
           }});
}

void Actor::restore_run(const std::string& directory, Completion done) {
  enqueue({std::nullopt, std::move(done), false, nullptr, std::nullopt,
           [this, directory] { return do_restore(directory); }});
}

void Actor::wake() { enqueue({std::nullopt, nullptr, false}); }

void Actor::wait_exit(Completion done) {
  bool crowded = false;
  {
    const std::lock_guard lock(mutex_);
    crowded = !gone_ && waiters_.size() >= kMostWaiters;
    if (!gone_ && !crowded) waiters_.push_back(std::exchange(done, nullptr));
  }
  if (crowded) {
    done(fail(ErrorCode::kResourceExhausted, cat(kMostWaiters, " wait for the end of \"", place_.name, "\" already")));
    return;
  }
  if (done) {
    done(snapshot());
    return;
  }
  wake();
}

void Actor::enqueue(Task task) {
  {
    const std::lock_guard lock(mutex_);
    // One look is as good as many.
    const auto only_looks = [](const Task& each) { return !each.command && !each.health && !each.job; };
    if (only_looks(task) && !tasks_.empty() && only_looks(tasks_.back())) return;
    tasks_.push_back(std::move(task));
    if (working_) return;
    working_ = true;
  }
  context_.pool.post([self = shared_from_this()] { self->work(); });
}

void Actor::work() {
  while (true) {
    Task task;
    {
      const std::lock_guard lock(mutex_);
      if (tasks_.empty()) {
        working_ = false;
        return;
      }
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    run_task(task);
    finish_waiters();
  }
}

void Actor::run_task(Task& task) {
  Status outcome;
  if (gone()) {
    if (retired_) finish_retiring();
    if (task.done) task.done(fail(ErrorCode::kNotFound, cat("\"", place_.name, "\" has been deleted")));
    return;
  }
  if (task.health) {
    if (auto recorded = record_health(*task.health); !recorded) {
      log::warning("health", {{"name", place_.name}, {"error", recorded.error().message()}});
    }
    return;
  }
  stdio_ = std::move(task.stdio);
  outcome = task.job ? task.job() : task.command ? carry_out(*task.command) : converge({});
  stdio_ = nullptr;
  if (!outcome && task.delete_on_failure) {
    VerbCommand remove;
    remove.verb = Verb::kForceDelete;
    remove.grace_ms = 0;
    if (auto removed = carry_out(remove); !removed) {
      log::error("cannot remove what failed to start", {{"name", place_.name}, {"error", removed.error().message()}});
    }
  }
  if (!task.done) {
    if (!outcome) log::warning("environment", {{"name", place_.name}, {"error", outcome.error().message()}});
    return;
  }
  if (!outcome) {
    task.done(fail(std::move(outcome).error()));
  } else {
    task.done(snapshot());
  }
}

// Again after a failure.
void Actor::finish_retiring() {
  auto cleaned = clean_up();
  if (cleaned) return;
  log::warning("remains", {{"name", place_.name}, {"error", cleaned.error().message()}});
  context_.wakeups.at(place_.id, context_.clock.monotonic() + kRetryAfter);
}

void Actor::finish_waiters() {
  std::vector<Completion> ready;
  EnvironmentView environment;
  {
    const std::lock_guard lock(mutex_);
    const auto& status = environment_->status;
    const bool over = gone_ || (!is_alive(status.state) && status.state != State::kSuspended &&
                                !restart_due(*environment_) && status.state != State::kCreated);
    if (!over) return;
    ready.swap(waiters_);
    environment = environment_;
  }
  for (auto& done : ready) done(*environment);
}

Status Actor::carry_out(const VerbCommand& command) {
  TRY(admit(snapshot(), command.verb));
  const StopRequest stop{command.grace_ms};
  switch (command.verb) {
    case Verb::kStart: {
      TRY(finish_last_run());
      const bool runs = snapshot().status.state == State::kRunning;
      TRY(want(Goal::kRunning, runs ? std::nullopt : std::optional(State::kStarting)));
      return converge(stop);
    }
    case Verb::kStop: TRY(want(Goal::kStopped, std::nullopt)); return converge(stop);
    case Verb::kRestart: {
      TRY(finish_last_run());
      const State state = snapshot().status.state;
      const bool has_run = is_alive(state) || state == State::kSuspended;
      TRY(want(Goal::kRunning, has_run ? State::kStopping : State::kStarting));
      return converge(stop);
    }
    case Verb::kPause: TRY(want(Goal::kPaused, std::nullopt)); return converge(stop);
    case Verb::kSuspend: return suspend(stop);
    case Verb::kResume: TRY(want(Goal::kRunning, std::nullopt)); return converge(stop);
    case Verb::kKill:
      if (command.signal != SIGKILL) return driver_.signal(place_, command.signal);
      TRY(want(Goal::kStopped, std::nullopt));
      return converge({0});
    case Verb::kDelete:
    case Verb::kForceDelete: TRY(want(Goal::kDeleted, State::kDeleting)); return converge(stop);
    case Verb::kUpdate: return change_limits(command.resources);
    case Verb::kExec:
    case Verb::kSave:
    case Verb::kRestore: return {};
  }
  return {};
}

// What cannot be suspended goes on as if nobody had asked.
Status Actor::suspend(const StopRequest& stop) {
  TRY(want(Goal::kSuspended, std::nullopt));
  auto suspended = converge(stop);
  if (!suspended && snapshot().status.state == State::kRunning) TRY(want(Goal::kRunning, std::nullopt));
  return suspended;
}

Status Actor::change_limits(const Resources& wanted) {
  const Environment before = snapshot();
  Environment changed = before;
  changed.spec.resources = wanted;
  TRY(validate(changed.spec));
  if (!is_alive(before.status.state)) return save(changed, "updated");
  // What holds is what is stored, also after half of it was refused, or after the end of this daemon: then the note
  // tells the next one.
  const std::string note = limits_note();
  TRY(write_file_atomic(note, "", 0600));
  Rollback undo;
  undo.add([&] {
    if (driver_.limit(place_, before.spec.resources)) static_cast<void>(sys::unlink(note));
  });
  TRY(driver_.limit(place_, wanted));
  crash_point("the run has new limits");
  TRY(save(changed, "updated"));
  undo.commit();
  return sys::unlink(note);
}

std::string Actor::limits_note() const { return cat(place_.run_dir, "/new-limits"); }

// A daemon was killed while it gave the run new limits: the stored ones hold.
Status Actor::settle_limits() {
  const std::string note = limits_note();
  if (!sys::exists(note)) return {};
  TRY(driver_.limit(place_, snapshot().spec.resources));
  return sys::unlink(note);
}

Status Actor::record_health(const HealthReport& report) {
  Environment changed = snapshot();
  auto& status = changed.status;
  if (status.state != State::kRunning || status.incarnation != report.incarnation || status.health == report.health) {
    return {};
  }
  status.health = report.health;
  status.reason = report.reason;
  return save(changed, report.health == Health::kHealthy ? "healthy" : "unhealthy");
}

Status Actor::record_guest_restart(const Controller::GuestRestart& restart) {
  Environment changed = snapshot();
  auto& status = changed.status;
  if (status.state != State::kRunning || status.incarnation != restart.incarnation) return {};
  status.restarts = restart.restarts;
  status.exit_code = restart.exit_code;
  status.reason = cat("its workload ended with exit code ", restart.exit_code, "; restart ", restart.restarts,
                      " in a row follows after ", restart.backoff_ms, " ms");
  // Whether what runs then is healthy, its next probe says.
  return save(changed, restart.exit_code == 0 ? "" : "crashed");
}

Status Actor::want(Goal goal, std::optional<State> state) {
  Environment changed = snapshot();
  changed.status.goal = goal;
  if (state) changed.status.state = *state;
  if (state == State::kStarting) {
    changed.status.restarts = 0;
    changed.status.reason.clear();
  }
  return save(changed, "");
}

// ── the loop ──

Status Actor::converge(const StopRequest& stop) {
  for (int i = 0; i < kMaxSteps; ++i) {
    auto observed = driver_.observe(place_);
    if (!observed) {
      context_.wakeups.at(place_.id, context_.clock.monotonic() + kRetryAfter);
      return fail(std::move(observed).error());
    }
    take_over(*observed);
    TRY(adopt(*observed));
    const Step step = plan(snapshot(), *observed, history_, context_.clock.monotonic());
    if (step.action == Action::kNone) return {};
    if (step.action == Action::kWait) {
      context_.wakeups.at(place_.id, step.not_before);
      return {};
    }
    if (auto done = act(step, *observed, stop); !done) {
      // The next wake-up tries again from what is there then.
      context_.wakeups.at(place_.id, context_.clock.monotonic() + kRetryAfter);
      return done;
    }
    if (gone()) return {};
  }
  return fail(ErrorCode::kInternal, cat("\"", place_.name, "\" does not come to rest"));
}

Status Actor::act(const Step& step, const Observation& observed, const StopRequest& stop) {
  switch (step.action) {
    case Action::kStart: return do_start();
    case Action::kStop: return do_stop(stop);
    case Action::kPause:
    case Action::kResume: return do_freeze(step.action);
    case Action::kSuspend: return do_suspend();
    case Action::kCollect: return do_collect(observed);
    case Action::kDestroy: return do_destroy(stop);
    case Action::kNone:
    case Action::kWait: return {};
  }
  return {};
}

// What does not listen can still be stopped: a failure is tried again at the next look, and holds nothing up.
void Actor::take_over(const Observation& observed) {
  if (taken_over_) return;
  if (observed.phase == Phase::kPaused) {
    if (auto settled = settle_limits(); !settled) log::warning("limits", {{"error", settled.error().message()}});
    return;
  }
  if (observed.phase == Phase::kRunning) {
    if (snapshot().status.goal == Goal::kDeleted) return;
    auto told = driver_.adopt(place_);
    if (told) told = settle_limits();
    if (!told) {
      log::warning("cannot take a run over", {{"name", place_.name}, {"error", told.error().message()}});
      context_.wakeups.at(place_.id, context_.clock.monotonic() + kRetryAfter);
      return;
    }
  }
  taken_over_ = true;
}

Status Actor::adopt(const Observation& observed) {
  const auto status = snapshot().status;
  if (observed.phase == Phase::kRunning && status.state != State::kRunning && status.state != State::kStopping &&
      status.state != State::kDeleting) {
    if (status.state != State::kPaused) return record_started(observed.pid, true);
    Environment changed = snapshot();
    changed.status.state = State::kRunning;
    arm_watch();
    return save(changed, "resumed");
  }
  if (observed.phase == Phase::kPaused && status.state == State::kRunning) {
    Environment changed = snapshot();
    changed.status.state = State::kPaused;
    arm_watch();
    return save(changed, "paused");
  }
  if (observed.phase == Phase::kRunning || observed.phase == Phase::kPaused) arm_watch();
  const bool was_there = status.state == State::kRunning || status.state == State::kPaused;
  if (observed.phase == Phase::kAbsent && observed.suspended && was_there) return record_suspended("suspended");
  const bool frozen = status.state == State::kSuspended && status.goal == Goal::kSuspended;
  if (frozen && observed.phase == Phase::kAbsent && !observed.suspended) return record_lost_memory();
  return {};
}

void Actor::arm_watch() {
  const auto armed = [&]() -> Status { return context_.wakeups.watch(place_.id, TRY(driver_.watch(place_))); }();
  if (armed) return;
  // The run has just ended, or nobody would hear of its end: looked at again either way.
  log::debug("cannot watch a run", {{"name", place_.name}, {"error", armed.error().message()}});
  context_.wakeups.at(place_.id, context_.clock.monotonic() + kRetryAfter);
}

void Actor::set_last(const Environment& environment, bool gone) {
  auto last = std::make_shared<const Environment>(environment);
  const std::lock_guard lock(mutex_);
  environment_ = std::move(last);
  gone_ = gone;
  context_.changed();
}

EnvironmentView Actor::exchange(EnvironmentView changed) {
  const std::lock_guard lock(mutex_);
  EnvironmentView before = std::exchange(environment_, std::move(changed));
  context_.changed();
  return before;
}

Status Actor::save(const Environment& changed, std::string_view event) {
  std::vector<Event> events;
  if (!event.empty()) events.push_back(environment_event(changed, event, context_.clock.now()));
  // Before the event: whoever looks because of it must not see what was before, there is no second event.
  EnvironmentView before = exchange(std::make_shared<const Environment>(changed));
  if (auto stored = context_.store.update_environment(changed, events); !stored) {
    exchange(std::move(before));
    return stored;
  }
  return {};
}

}  // namespace skerry
