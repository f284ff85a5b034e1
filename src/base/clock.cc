#include "base/clock.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "base/text.h"

namespace skerry {
namespace {

std::int64_t read_clock(clockid_t id) {
  timespec ts{};
  ::clock_gettime(id, &ts);
  return static_cast<std::int64_t>(ts.tv_sec) * 1'000'000'000 + ts.tv_nsec;
}

// `count` digits at `at`, a number from `lowest` to `highest`.
Result<int> digits(std::string_view text, std::size_t at, std::size_t count, int lowest, int highest) {
  int value = 0;
  for (const char c : text.substr(std::min(at, text.size()), count)) {
    if (c < '0' || c > '9') return fail(ErrorCode::kCorrupt, "time: a digit expected");
    value = value * 10 + (c - '0');
  }
  if (at + count > text.size() || value < lowest || value > highest) return fail(ErrorCode::kCorrupt, "time");
  return value;
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
  // Not gmtime_r(3), which reads the time zone's file though UTC needs none.
  const std::chrono::sys_seconds instant{std::chrono::seconds(seconds)};
  const auto midnight = std::chrono::floor<std::chrono::days>(instant);
  const std::chrono::year_month_day date(midnight);
  const auto second = static_cast<int>((instant - midnight).count());
  char text[80];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%09dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), second / 3600, second / 60 % 60,
                second % 60, static_cast<int>(fraction));
  return text;
}

Result<WallTime> parse_rfc3339(std::string_view text) {
  constexpr std::string_view kShape = "____-__-__T__:__:__";
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    if (i >= text.size() || (kShape[i] != '_' && text[i] != kShape[i])) return fail(ErrorCode::kCorrupt, "time");
  }
  tm parts{};
  // Later years do not fit into 64 bits of nanoseconds.
  parts.tm_year = TRY(digits(text, 0, 4, 1970, 2261)) - 1900;
  parts.tm_mon = TRY(digits(text, 5, 2, 1, 12)) - 1;
  parts.tm_mday = TRY(digits(text, 8, 2, 1, 31));
  parts.tm_hour = TRY(digits(text, 11, 2, 0, 23));
  parts.tm_min = TRY(digits(text, 14, 2, 0, 59));
  parts.tm_sec = TRY(digits(text, 17, 2, 0, 60));
  const std::int64_t seconds = ::timegm(&parts);
  std::string_view rest = text.substr(kShape.size());
  if (rest == "Z") return WallTime{seconds * 1'000'000'000};
  if (!rest.starts_with('.') || !rest.ends_with('Z') || rest.size() < 3 || rest.size() > 11) {
    return fail(ErrorCode::kCorrupt, "time");
  }
  rest = rest.substr(1, rest.size() - 2);
  std::int64_t ns = TRY(digits(rest, 0, rest.size(), 0, 999'999'999));
  for (std::size_t i = rest.size(); i < 9; ++i) ns *= 10;
  return WallTime{seconds * 1'000'000'000 + ns};
}

}  // namespace skerry
