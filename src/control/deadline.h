// Deadline: one point in time for the whole of a question, however many waits it takes. BLOCKING, in real time.
#pragma once

#include "base/clock.h"
#include "base/result.h"

namespace skerry {

class Deadline {
 public:
  explicit Deadline(Duration timeout) : end_(SystemClock().monotonic() + timeout) {}
  [[nodiscard]] bool passed() const { return SystemClock().monotonic() >= end_; }
  // Waits until `fd` is ready for `events` (poll(2)); kDeadlineExceeded when the time has passed.
  [[nodiscard]] Status await(int fd, short events) const;

 private:
  MonoTime end_;
};

}  // namespace skerry
