// Histogram: how often something took how long, in the fixed steps that Prometheus adds up. Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>

#include "base/clock.h"

namespace skerry {

class Histogram {
 public:
  // Upper ends in seconds, each included: from a container beside others to a VM that is installed at its first boot.
  static constexpr std::array kBounds = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0};

  struct Sample {
    std::array<std::uint64_t, kBounds.size()> at_most{};  // parallel to kBounds, cumulative
    std::uint64_t count = 0;                              // of all, also the longest
    double sum_seconds = 0;
  };

  void observe(Duration took);
  [[nodiscard]] Sample sample() const;

 private:
  mutable std::mutex mutex_;
  Sample sample_;
};

}  // namespace skerry
