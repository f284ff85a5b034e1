#include "base/histogram.h"

#include <chrono>

namespace skerry {

void Histogram::observe(Duration took) {
  const double seconds = std::chrono::duration<double>(took).count();
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    if (seconds <= kBounds.at(i)) ++sample_.at_most.at(i);
  }
  ++sample_.count;
  sample_.sum_seconds += seconds;
}

Histogram::Sample Histogram::sample() const {
  const std::lock_guard lock(mutex_);
  return sample_;
}

}  // namespace skerry
