#include "base/clock.h"

#include <cstdio>
#include <ctime>

namespace skerry {
namespace {

std::int64_t read_clock(clockid_t id) {
  timespec ts{};
  ::clock_gettime(id, &ts);
  return static_cast<std::int64_t>(ts.tv_sec) * 1'000'000'000 + ts.tv_nsec;
}

}  // namespace

WallTime SystemClock::now() const { return {read_clock(CLOCK_REALTIME)}; }
MonoTime SystemClock::monotonic() const { return {read_clock(CLOCK_BOOTTIME)}; }

WallTime ManualClock::now() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

MonoTime ManualClock::monotonic() const {
  const std::lock_guard lock(mutex_);
  return mono_;
}

void ManualClock::advance(Duration by) {
  const std::lock_guard lock(mutex_);
  now_.ns += by.count();
  mono_.ns += by.count();
}

std::string to_rfc3339(WallTime time) {
  std::int64_t seconds = time.ns / 1'000'000'000;
  std::int64_t fraction = time.ns % 1'000'000'000;
  if (fraction < 0) {
    fraction += 1'000'000'000;
    --seconds;
  }
  const time_t t = static_cast<time_t>(seconds);
  tm parts{};
  ::gmtime_r(&t, &parts);
  char text[80];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, static_cast<int>(fraction));
  return text;
}

}  // namespace skerry
