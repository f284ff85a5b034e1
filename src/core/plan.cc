#include "core/plan.h"

#include <algorithm>

#include "core/state_machine.h"

namespace skerry {

bool should_restart(const RestartPolicy& policy, Goal goal, const std::optional<int>& exit_code,
                    std::uint32_t restarts) {
  if (goal != Goal::kRunning) return false;
  if (policy.max != 0 && restarts >= policy.max) return false;
  switch (policy.mode) {
    case RestartMode::kNo: return false;
    case RestartMode::kOnFailure: return exit_code != 0;
    case RestartMode::kAlways:
    case RestartMode::kUnlessStopped: return true;
  }
  return false;
}

bool is_restarting(const EnvironmentStatus& status) {
  return status.goal == Goal::kRunning && status.state == State::kStopping;
}

bool restart_due(const Environment& environment) {
  const auto& status = environment.status;
  return is_over(status.state) &&
         should_restart(environment.spec.restart, status.goal, status.exit_code, status.restarts);
}

bool is_crash_looping(const Environment& environment) {
  return environment.status.state == State::kFailed && environment.status.restarts >= kCrashLoopRestarts &&
         restart_due(environment);
}

Duration restart_delay(const RestartPolicy& policy, std::uint32_t restarts) {
  const std::uint64_t doubled = static_cast<std::uint64_t>(policy.backoff_ms) << std::min<std::uint32_t>(restarts, 30);
  return std::chrono::milliseconds(std::min<std::uint64_t>(doubled, kMaxBackoffMs));
}

namespace {

// Wanted: running. What is missing for that?
Step toward_running(const Environment& environment, const Observation& observed, const RunHistory& history,
                    MonoTime now) {
  const auto& status = environment.status;
  const bool restarting = is_restarting(status);
  switch (observed.phase) {
    case Phase::kRunning: return {restarting ? Action::kStop : Action::kNone, {}};
    case Phase::kPaused: return {restarting ? Action::kStop : Action::kResume, {}};
    case Phase::kExited:
    case Phase::kBroken: return {Action::kCollect, {}};
    case Phase::kAbsent: break;
  }
  const bool asked =
      status.state == State::kCreated || status.state == State::kStarting || status.state == State::kSuspended;
  if (asked) return {Action::kStart, {}};
  // It ran, or was on its way down, and nothing is left of it (the host rebooted): that is an end like any other.
  if (is_alive(status.state)) return {Action::kCollect, {}};
  if (!should_restart(environment.spec.restart, status.goal, status.exit_code, status.restarts))
    return {Action::kNone, {}};
  const MonoTime not_before = history.ended_at + restart_delay(environment.spec.restart, status.restarts);
  if (now < not_before) return {Action::kWait, not_before};
  return {Action::kStart, {}};
}

Step toward_stopped(const Environment& environment, const Observation& observed) {
  switch (observed.phase) {
    case Phase::kRunning:
    case Phase::kPaused: return {Action::kStop, {}};
    case Phase::kExited:
    case Phase::kBroken: return {Action::kCollect, {}};
    case Phase::kAbsent: break;
  }
  // Of what is frozen on disk the memory is given up.
  const State state = environment.status.state;
  if (is_alive(state) || state == State::kSuspended) return {Action::kCollect, {}};
  return {Action::kNone, {}};
}

Step toward_frozen(const Environment& environment, const Observation& observed, Phase wanted, Action act) {
  // Alive by the books and nothing there: an end to be recorded, not a freeze that was reached.
  if (observed.phase == Phase::kAbsent && is_alive(environment.status.state)) return {Action::kCollect, {}};
  if (observed.phase == wanted || observed.phase == Phase::kAbsent) return {Action::kNone, {}};
  if (observed.phase == Phase::kRunning || observed.phase == Phase::kPaused) return {act, {}};
  return {Action::kCollect, {}};
}

}  // namespace

Step plan(const Environment& environment, const Observation& observed, const RunHistory& history, MonoTime now) {
  switch (environment.status.goal) {
    case Goal::kRunning: return toward_running(environment, observed, history, now);
    case Goal::kStopped: return toward_stopped(environment, observed);
    case Goal::kPaused: return toward_frozen(environment, observed, Phase::kPaused, Action::kPause);
    case Goal::kSuspended: return toward_frozen(environment, observed, Phase::kAbsent, Action::kSuspend);
    case Goal::kDeleted: return {Action::kDestroy, {}};
  }
  return {Action::kNone, {}};
}

}  // namespace skerry
