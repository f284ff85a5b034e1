// The life of an environment.
//
//            create                start                   started
//   (none) ─────────▶ created ─────────────▶ starting ─────────────────▶ running ◀──────────┐
//                                  ▲  ▲         │                        │ │ │ ▲            │
//                                  │  │         │ could not start        │ │ │ └─resume─ paused / suspended
//                          restart │  │ start   ▼                        │ │ └───pause/suspend──▶ │
//                          policy  │  └───── failed ◀──ended by itself───┘ │                      │
//                                  │  │          with code ≠ 0 or a signal │stop                  │ stop
//                                  └──┴──── stopped ◀───── stopping ◀──────┴──────────────────────┘
//                                             ▲ ended by itself with code 0
//   stopping ──▶ starting when a restart is asked for, which also takes suspended to stopping: its memory is given up
//   every state ──delete──▶ deleting ──▶ (gone)
//   created, stopped, failed ──restore of a snapshot with memory──▶ suspended ──start, resume──▶ starting
//
// Only control/ moves an environment along these arrows, one writer per environment, and stores every move together
// with its event.
#pragma once

#include "core/environment.h"

namespace skerry {

// Whether the drawing has this arrow. Staying in a state is not an arrow.
bool can_move(State from, State to);

// Its processes may be there: stopping it needs the driver.
bool is_alive(State state);
// Its last run has ended and that is told; something of it may still be on the host.
bool is_over(State state);

// A freshly started environment counts as settled after this long: the restart counter and back-off begin anew.
inline constexpr Duration kSettledAfter = std::chrono::seconds(10);

}  // namespace skerry
