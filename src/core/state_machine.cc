#include "core/state_machine.h"

namespace skerry {

bool can_move(State from, State to) {
  if (from == to) return false;
  if (to == State::kDeleting) return true;
  switch (from) {
    case State::kCreated: return to == State::kStarting || to == State::kSuspended;
    case State::kStarting: return to == State::kRunning || to == State::kFailed || to == State::kStopping;
    case State::kRunning:
      return to == State::kPaused || to == State::kSuspended || to == State::kStopping || to == State::kStopped ||
             to == State::kFailed;
    case State::kPaused:
      return to == State::kRunning || to == State::kStopping || to == State::kStopped || to == State::kFailed;
    case State::kSuspended: return to == State::kStarting || to == State::kStopping || to == State::kStopped;
    case State::kStopping: return to == State::kStarting || to == State::kStopped || to == State::kFailed;
    case State::kStopped:
    case State::kFailed: return to == State::kStarting || to == State::kSuspended;
    case State::kDeleting: return false;
  }
  return false;
}

bool is_alive(State state) {
  switch (state) {
    case State::kStarting:
    case State::kRunning:
    case State::kPaused:
    case State::kStopping: return true;
    case State::kCreated:
    case State::kSuspended:
    case State::kStopped:
    case State::kFailed:
    case State::kDeleting: return false;
  }
  return false;
}

bool is_over(State state) { return state == State::kStopped || state == State::kFailed; }

}  // namespace skerry
