// Plan: what to do next about one environment. Pure and level-triggered: it compares what is wanted with what is
// observed, never with what happened in between, so lost wake-ups and restarts of the daemon do not matter.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "core/environment.h"

namespace skerry {

// What a driver sees of an environment.
enum class Phase : std::uint8_t {
  kAbsent,  // nothing runs and nothing is left of a run
  kRunning,
  kPaused,
  kExited,  // the main process has ended; its remains (mounts, network, run directory) are still there
  kBroken,  // half a start or stop, as a killed daemon leaves it: clean it up
};
struct Observation {
  Phase phase = Phase::kAbsent;
  std::int64_t pid = 0;
  std::optional<int> exit_code;  // kExited: 128 + signal when killed; unset when it could not be learnt
  std::string reason;            // kExited: "out of memory", …; may be empty
  bool restarts_spent = false;   // kExited: the run itself has restarted the workload as often as its policy allows
  bool suspended = false;        // kAbsent: its memory lies on disk, the next start goes on with it
};

enum class Action : std::uint8_t {
  kNone,  // wanted and observed agree
  kWait,  // nothing until Step::not_before (back-off)
  kStart,
  kStop,  // gracefully, then by force
  kPause,
  kResume,
  kSuspend,
  kCollect,  // the run is over: record its exit, clean up its remains
  kDestroy,  // remove everything, also the persistent part, then forget it
};
struct Step {
  Action action = Action::kNone;
  MonoTime not_before;  // kWait
};

// What the reconciler remembers besides the stored environment. Lost with the daemon, harmlessly.
struct RunHistory {
  MonoTime ended_at;  // when the last run ended
};

Step plan(const Environment& environment, const Observation& observed, const RunHistory& history, MonoTime now);

// Whether a run that just ended shall be followed by another one.
bool should_restart(const RestartPolicy& policy, Goal goal, const std::optional<int>& exit_code,
                    std::uint32_t restarts);
// Somebody has asked for a restart, and what ran is being ended: stored like this, a daemon that dies in between does
// not leave it stopped.
bool is_restarting(const EnvironmentStatus& status);
// Its run has ended and another one will follow after the back-off: what people call "restarting".
bool restart_due(const Environment& environment);
// The same, and so often in a row that it will hardly help: a crash loop. A run that lasts kSettledAfter ends it.
inline constexpr std::uint32_t kCrashLoopRestarts = 3;
bool is_crash_looping(const Environment& environment);
// How long to wait before restart number `restarts` + 1: backoff_ms × 2^restarts, at most kMaxBackoffMs.
Duration restart_delay(const RestartPolicy& policy, std::uint32_t restarts);

}  // namespace skerry
