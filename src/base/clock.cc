#include "base/clock.h"

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

Result<int> digits(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return fail(ErrorCode::kCorrupt, "time too short");
  return parse_int<int>(text.substr(at, count), "time");
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

Result<WallTime> parse_rfc3339(std::string_view text) {
  constexpr std::size_t kFractionAt = 20;
  tm parts{};
  parts.tm_year = TRY(digits(text, 0, 4)) - 1900;
  parts.tm_mon = TRY(digits(text, 5, 2)) - 1;
  parts.tm_mday = TRY(digits(text, 8, 2));
  parts.tm_hour = TRY(digits(text, 11, 2));
  parts.tm_min = TRY(digits(text, 14, 2));
  parts.tm_sec = TRY(digits(text, 17, 2));
  const std::int64_t seconds = ::timegm(&parts);
  if (text.back() != 'Z' || text[4] != '-' || text[10] != 'T') return fail(ErrorCode::kCorrupt, "time");
  if (text.size() == kFractionAt) return WallTime{seconds * 1'000'000'000};
  const std::string_view fraction = text.substr(kFractionAt, text.size() - kFractionAt - 1);
  if (text[kFractionAt - 1] != '.' || fraction.empty() || fraction.size() > 9) {
    return fail(ErrorCode::kCorrupt, "time");
  }
  std::int64_t ns = TRY(parse_int<std::int64_t>(fraction, "time"));
  for (std::size_t i = fraction.size(); i < 9; ++i) ns *= 10;
  return WallTime{seconds * 1'000'000'000 + ns};
}

}  // namespace skerry
