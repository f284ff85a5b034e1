#include "cli/quantities.h"

#include <cctype>
#include <cmath>
#include <filesystem>
#include <limits>

#include "base/text.h"

namespace skerry::cli {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::uint64_t kLongestSeconds = 100ULL * 365 * 86'400;

auto no_size(std::string_view text) {
  return fail(ErrorCode::kInvalidArgument, cat("size \"", text.substr(0, 64), "\""),
              "write it as 512 (MiB), 512m or 1.5g");
}

// How many MiB the unit is; 0: no unit.
double mib_per(std::string unit) {
  for (char& letter : unit) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  if (unit.size() > 1 && unit.ends_with("ib")) unit.resize(unit.size() - 2);
  if (unit.size() > 1 && unit.ends_with('b')) unit.resize(unit.size() - 1);
  if (unit.empty() || unit == "m") return 1;
  if (unit == "k") return 1.0 / 1024;
  if (unit == "g") return 1024;
  return unit == "t" ? 1024.0 * 1024 : 0;
}

std::uint64_t seconds_per(char unit) {
  switch (unit) {
    case 's': return 1;
    case 'm': return 60;
    case 'h': return 3600;
    case 'd': return 86'400;
    default: return 0;
  }
}

}  // namespace

Result<std::uint32_t> parse_memory_mib(std::string_view text) {
  const auto unit_at = std::min(text.find_first_not_of("0123456789."), text.size());
  const auto number = text.substr(0, unit_at);
  const double unit = mib_per(std::string(text.substr(unit_at)));
  const auto point = number.find('.');
  const auto whole = parse_int<std::uint32_t>(number.substr(0, point), "size");
  if (!whole || unit == 0 ||
      number.find('.', point == std::string_view::npos ? point : point + 1) != std::string_view::npos) {
    return no_size(text);
  }
  double value = *whole;
  if (point != std::string_view::npos) {
    const auto digits = number.substr(point + 1);
    const auto fraction = parse_int<std::uint32_t>(digits, "size");
    if (!fraction || digits.size() > 6) return no_size(text);
    value += *fraction / std::pow(10.0, static_cast<double>(digits.size()));
  }
  const double mib = value * unit;
  if (mib != std::floor(mib) || mib > std::numeric_limits<std::uint32_t>::max()) {
    return fail(ErrorCode::kInvalidArgument, cat("size \"", text.substr(0, 64), "\" is no whole number of MiB"));
  }
  return static_cast<std::uint32_t>(mib);
}

Result<std::string> parse_since(std::string_view text, WallTime now) {
  if (text.find('-') != std::string_view::npos) {
    TRY(parse_rfc3339(text));
    return std::string(text);
  }
  std::uint64_t seconds = 0;
  for (auto rest = text; !rest.empty() || text.empty();) {
    const auto unit_at = rest.find_first_not_of("0123456789");
    const auto unit = unit_at < rest.size() ? seconds_per(rest[unit_at]) : 0;
    const auto count = parse_int<std::uint32_t>(rest.substr(0, unit_at), "time");
    seconds += count.value_or(0) * unit;
    if (unit == 0 || !count || seconds > kLongestSeconds) {
      return fail(ErrorCode::kInvalidArgument, cat("time \"", text.substr(0, 64), "\""),
                  "write how long ago (90s, 10m, 1h30m, 7d), or 2026-11-21T10:00:00Z");
    }
    rest.remove_prefix(unit_at + 1);
  }
  return to_rfc3339({now.ns - static_cast<std::int64_t>(seconds) * kNsPerSecond});
}

Result<std::string> absolute_path(std::string_view path) {
  std::error_code ec;
  const auto whole = std::filesystem::absolute(path, ec);
  if (ec) return fail(Error::from_errno(ec.value(), cat("path ", path)));
  std::string out = whole.lexically_normal().string();
  if (out.size() > 1 && out.ends_with('/')) out.pop_back();
  return out;
}

}  // namespace skerry::cli
