// Crash points: the places between two steps of a command, so that a test can end this process by SIGKILL at each of
// them, one after the other, and look at what the next process makes of it.
//
// The environment variable SKERRY_CRASH_AT (of whoever starts the process, so of root) says at which point, counted
// from 1 in the order in which they are reached; with 0 every point is only told, in the log. "2 STEP": when one
// that begins like this is reached for the second time, for commands whose steps come in another order each time.
// Unset, a point does nothing.
#pragma once

#include <string_view>

namespace skerry {

// `step`: what has just been done.
void crash_point(std::string_view step);

}  // namespace skerry
