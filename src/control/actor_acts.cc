// Actor: what its plans consist of. Each act stores what it did, with its event, before the next one is asked for.
#include <utility>

#include "base/crash_point.h"
#include "base/log.h"
#include "base/sys_file.h"
#include "control/actor.h"
#include "core/admission.h"
#include "core/state_machine.h"

namespace skerry {

Status Actor::do_start() {
  const MonoTime begun = context_.clock.monotonic();
  const Environment before = snapshot();
  const bool automatic = is_over(before.status.state);
  Environment starting = before;
  starting.status.state = State::kStarting;
  if (automatic) ++starting.status.restarts;
  ++starting.status.incarnation;
  TRY(save(starting, ""));
  const auto prepare = [&]() -> Result<Launch> {
    TRY(sys::mkdir_all(place_.state_dir, 0700));
    TRY(sys::mkdir_all(place_.run_dir, 0700));
    return context_.make_launch(starting, place_);
  };
  auto launch = prepare();
  if (!launch) return record_start_failure(launch.error());
  // The firewall stands before anything inside can send a packet.
  if (auto guarded = context_.refresh_firewall(); !guarded) return record_start_failure(guarded.error());
  launch->attach = stdio_ != nullptr;
  crash_point("the firewall lets it through");
  auto started = driver_.start(*launch);
  crash_point("the driver has started it");
  if (!started) return record_start_failure(started.error());
  // Now, not when all is recorded: the workload may already be waiting for input.
  if (stdio_ && started->stdio) std::exchange(stdio_, nullptr)(std::move(*started->stdio));
  TRY(record_started(started->pid, false));
  context_.start_times.by_isolation.at(before.spec.isolation).observe(context_.clock.monotonic() - begun);
  return {};
}

Status Actor::record_started(std::int64_t pid, bool adopted) {
  Environment changed = snapshot();
  changed.status.state = State::kRunning;
  changed.status.pid = pid;
  changed.status.exit_code.reset();
  changed.status.reason.clear();
  if (!adopted) changed.status.health = Health::kUnknown;
  if (!adopted || changed.status.started_at.ns == 0) changed.status.started_at = context_.clock.now();
  started_mono_ = context_.clock.monotonic();
  arm_watch();
  TRY(save(changed, "started"));
  // What a fork began with is used up.
  return sys::remove_tree(saved_of(place_));
}

Status Actor::record_start_failure(const Error& error) {
  Environment changed = snapshot();
  changed.status.state = State::kFailed;
  changed.status.pid = 0;
  changed.status.reason = error.message();
  changed.status.exit_code.reset();  // an earlier run's says nothing of this one
  if (error.code == ErrorCode::kCommandNotFound) changed.status.exit_code = 127;
  if (error.code == ErrorCode::kNotExecutable) changed.status.exit_code = 126;
  changed.status.finished_at = context_.clock.now();
  history_.ended_at = context_.clock.monotonic();
  TRY(save(changed, "failed"));
  close_ports();
  return fail(error);
}

// They may have been opened for the start; and another one that wanted them, and starts, gets them now.
void Actor::close_ports() {
  if (snapshot().spec.ports.empty()) return;
  if (auto closed = context_.refresh_firewall(); !closed) {
    log::warning("a published port may still be open", {{"name", place_.name}, {"error", closed.error().message()}});
  }
}

Status Actor::do_stop(const StopRequest& stop) {
  Environment changed = snapshot();
  if (changed.status.state != State::kStopping && changed.status.state != State::kDeleting) {
    changed.status.state = State::kStopping;
    TRY(save(changed, ""));
  }
  leave_service();
  TRY(driver_.stop(place_, stop));
  crash_point("the driver has stopped it");
  return {};
}

// A replica that is to end gets no new connection any more, before it hears of its end.
void Actor::leave_service() {
  if (snapshot().spec.deployment.empty()) return;
  if (auto left = context_.refresh_firewall(); !left) {
    log::warning("a replica may still be sent connections", {{"name", place_.name}, {"error", left.error().message()}});
  }
}

Status Actor::do_freeze(Action action) {
  TRY(action == Action::kPause ? driver_.pause(place_) : driver_.resume(place_));
  crash_point(action == Action::kPause ? "the driver has frozen it" : "the driver has thawed it");
  Environment changed = snapshot();
  changed.status.state = action == Action::kPause ? State::kPaused : State::kRunning;
  return save(changed, action == Action::kPause ? "paused" : "resumed");
}

// The next observation sees it, also that of another daemon.
Status Actor::do_suspend() {
  TRY(driver_.suspend(place_));
  crash_point("the driver has suspended it");
  return {};
}

Status Actor::record_suspended(std::string_view event) {
  context_.wakeups.forget(place_.id);
  Environment changed = snapshot();
  auto& status = changed.status;
  status.state = State::kSuspended;
  status.health = Health::kUnknown;
  status.pid = 0;
  status.exit_code.reset();
  status.reason.clear();
  return save(changed, event);
}

// Its memory is not there any more, though nobody has used it: a restoration had begun, and was cut short.
Status Actor::record_lost_memory() {
  Environment changed = snapshot();
  changed.status.state = State::kStopped;
  changed.status.goal = Goal::kStopped;
  changed.status.reason = "what it had in memory was given up";
  return save(changed, "stopped");
}

Status Actor::do_restore(const std::string& directory) {
  TRY(admit(snapshot(), Verb::kRestore));
  TRY(driver_.restore(place_, directory));
  crash_point("the driver has restored it");
  const bool with_memory = TRY(driver_.observe(place_)).suspended;
  TRY(want(with_memory ? Goal::kSuspended : Goal::kStopped, std::nullopt));
  if (with_memory) return record_suspended("restored");
  Environment changed = snapshot();
  changed.status.state = State::kStopped;
  changed.status.exit_code.reset();
  changed.status.reason.clear();
  return save(changed, "restored");
}

std::optional<Environment> Actor::after_end(const Observation& observed) {
  Environment changed = snapshot();
  auto& status = changed.status;
  // A start that was cut off by the daemon's death is tried again from the beginning, not counted as a run.
  if (observed.phase == Phase::kBroken && status.state == State::kStarting) return std::nullopt;
  const bool frozen = status.goal == Goal::kPaused || status.goal == Goal::kSuspended;
  const bool asked = status.goal != Goal::kRunning && !frozen;
  const MonoTime now = context_.clock.monotonic();
  if (now - started_mono_ >= kSettledAfter) status.restarts = 0;
  history_.ended_at = now;
  status.exit_code = observed.exit_code;
  status.reason = observed.reason;
  if (!observed.exit_code && status.reason.empty() && !asked) status.reason = "the run was lost (the host restarted?)";
  const bool restarting = is_restarting(status);
  status.state = restarting ? State::kStarting : asked || observed.exit_code == 0 ? State::kStopped : State::kFailed;
  status.health = Health::kUnknown;
  status.pid = 0;
  status.finished_at = context_.clock.now();
  if (restarting) {
    status.restarts = 0;
    status.reason.clear();
    return changed;
  }
  if (frozen) status.goal = Goal::kStopped;
  if (observed.restarts_spent ||
      !should_restart(changed.spec.restart, status.goal, status.exit_code, status.restarts)) {
    if (status.goal == Goal::kRunning) status.goal = Goal::kStopped;
    if (changed.spec.auto_remove && status.goal == Goal::kStopped) status.goal = Goal::kDeleted;
  }
  return changed;
}

// With the remains the driver forgets how the run ended. So that is stored first: whoever finds remains of a run that
// is over by the books (this daemon after a failure, or the next one) only has to remove them.
Status Actor::do_collect(const Observation& observed) {
  const Environment before = snapshot();
  if (is_over(before.status.state)) return remove_remains();
  // Stored as starting, it would have the remains taken for those of the next run: here they go first. How it ended is
  // of no consequence any more.
  const bool restarting = is_restarting(before.status);
  const auto ended = after_end(observed);
  // Ended well, or because somebody wanted it.
  const bool clean = ended && ended->status.state != State::kFailed;
  if (ended && ended->status.goal == Goal::kDeleted) return retire(*ended, clean ? "stopped" : "crashed");
  if (observed.suspended || before.status.state == State::kSuspended) TRY(driver_.discard_suspended(place_));
  if (restarting || !ended) TRY(remove_remains());
  if (!ended) return {};
  context_.wakeups.forget(place_.id);
  TRY(save(*ended, clean ? "stopped" : "crashed"));
  return restarting ? Status{} : remove_remains();
}

Status Actor::remove_remains() {
  TRY(driver_.collect(place_, snapshot().spec.kind));
  crash_point("the driver has collected the run");
  return context_.refresh_firewall();
}

// Before it is stored as starting: what is left of the last run would be taken for that of the next one.
Status Actor::finish_last_run() {
  if (!is_over(snapshot().status.state)) return {};
  const auto phase = TRY(driver_.observe(place_)).phase;
  return phase == Phase::kExited || phase == Phase::kBroken ? remove_remains() : Status{};
}

Status Actor::retire(Environment last, std::string_view end) {
  context_.wakeups.forget(place_.id);
  std::vector<Event> events{environment_event(last, end, context_.clock.now())};
  last.status.state = State::kDeleting;
  events.push_back(environment_event(last, "deleted", context_.clock.now()));
  // Before the event: whoever acts on it must no longer find the environment.
  const Environment before = snapshot();
  set_last(last, true);
  if (auto stored = context_.store.retire_environment(place_.id, events); !stored) {
    set_last(before, false);
    return stored;
  }
  retired_ = true;
  // Nobody waits for what the kernel and the disk take to forget it.
  finish_waiters();
  return clean_up();
}

Status Actor::clean_up() {
  TRY(driver_.destroy(place_));
  TRY(sys::remove_tree(place_.run_dir));
  TRY(sys::remove_tree(place_.state_dir));
  crash_point("the remains of what was retired are gone");
  if (const auto ip = snapshot().ip; !ip.empty()) TRY(context_.store.release_address(ip, context_.clock.now()));
  retired_ = false;
  TRY(context_.refresh_firewall());
  crash_point("the firewall has forgotten what was retired");
  context_.forget(place_.id);
  return {};
}

Status Actor::do_destroy(const StopRequest& stop) {
  context_.wakeups.forget(place_.id);
  leave_service();
  TRY(driver_.stop(place_, stop));
  crash_point("the driver has stopped what is to be deleted");
  TRY(driver_.destroy(place_));
  crash_point("the driver has destroyed it");
  TRY(sys::remove_tree(place_.run_dir));
  TRY(sys::remove_tree(place_.state_dir));
  crash_point("its directories are gone");
  Environment last = snapshot();
  last.status.state = State::kDeleting;
  last.status.pid = 0;
  // Before the event: whoever acts on it must no longer find the environment.
  const Environment before = snapshot();
  set_last(last, true);
  auto deleted =
      context_.store.delete_environment(place_.id, {environment_event(last, "deleted", context_.clock.now())});
  if (!deleted) {
    set_last(before, false);
    return deleted;
  }
  context_.forget(place_.id);
  return context_.refresh_firewall();
}

}  // namespace skerry
