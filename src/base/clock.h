// Clock: where time comes from, so that tests can move it.
//
// Two times, never mixed: `now()` is the wall clock (CLOCK_REALTIME; for records people read) and `monotonic()` only
// grows (CLOCK_BOOTTIME; for deadlines and back-off, counts suspended time).
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"

namespace skerry {

using Duration = std::chrono::nanoseconds;
// Nanoseconds since the Unix epoch, UTC.
struct WallTime {
  std::int64_t ns = 0;
  auto operator<=>(const WallTime&) const = default;
};
// Nanoseconds since boot.
struct MonoTime {
  std::int64_t ns = 0;
  auto operator<=>(const MonoTime&) const = default;
  MonoTime operator+(Duration d) const { return {ns + d.count()}; }
  Duration operator-(MonoTime other) const { return Duration(ns - other.ns); }
};

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual WallTime now() const = 0;
  [[nodiscard]] virtual MonoTime monotonic() const = 0;
};

// The kernel's clocks (clock_gettime(2)).
class SystemClock final : public Clock {
 public:
  [[nodiscard]] WallTime now() const override;
  [[nodiscard]] MonoTime monotonic() const override;
};

// A clock that stands still until a test moves it. Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(WallTime start = {1'700'000'000'000'000'000}) : now_(start) {}
  [[nodiscard]] WallTime now() const override;
  [[nodiscard]] MonoTime monotonic() const override;
  void advance(Duration by);

 private:
  mutable std::mutex mutex_;
  WallTime now_;
  MonoTime mono_{1};
};

// RFC 3339, UTC, nanoseconds: "2026-11-21T07:30:00.000000000Z".
std::string to_rfc3339(WallTime time);
// The same backwards; 0 to 9 digits of fraction, UTC ("Z") only. kCorrupt when it is not such a time.
Result<WallTime> parse_rfc3339(std::string_view text);

}  // namespace skerry
