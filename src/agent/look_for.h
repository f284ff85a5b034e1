// Waiting for what the kernel makes in its own time: in a guest a device comes a moment after its driver, and there is
// nothing to be woken by before the first file systems are there.
#pragma once

#include <time.h>

#include <type_traits>

#include "base/clock.h"

namespace skerry::agent {

// Asks `look` (a Result<T>) every two milliseconds, until it has found or `patience` is over; then the last answer.
template <typename Look>
std::invoke_result_t<Look&> look_for(Duration patience, Look look) {
  const SystemClock clock;
  const MonoTime end = clock.monotonic() + patience;
  while (true) {
    auto found = look();
    if (found || clock.monotonic() >= end) return found;
    const timespec pause{0, 2'000'000};
    ::nanosleep(&pause, nullptr);
  }
}

}  // namespace skerry::agent
