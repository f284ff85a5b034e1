#include "drivers/qemu/tsc.h"

#include <x86intrin.h>

#include <ctime>

namespace skerry::qemu {
namespace {

struct Sample {
  std::uint64_t ticks = 0;
  std::int64_t ns = 0;
};

std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

// Both clocks at one moment: of several tries the one in which reading took least.
Sample sample() {
  Sample best;
  std::uint64_t shortest = ~std::uint64_t{0};
  for (int i = 0; i < 32; ++i) {
    const std::uint64_t before = __rdtsc();
    const std::int64_t ns = now_ns();
    const std::uint64_t after = __rdtsc();
    if (after - before >= shortest) continue;
    shortest = after - before;
    best = {before + (after - before) / 2, ns};
  }
  return best;
}

std::uint64_t measure() {
  const Sample first = sample();
  const timespec pause{0, 50'000'000};
  ::nanosleep(&pause, nullptr);
  const Sample second = sample();
  const auto ticks = static_cast<double>(second.ticks - first.ticks);
  return static_cast<std::uint64_t>(ticks * 1e6 / static_cast<double>(second.ns - first.ns) + 0.5);
}

}  // namespace

std::uint64_t host_tsc_khz() {
  static const std::uint64_t khz = measure();
  return khz;
}

}  // namespace skerry::qemu
