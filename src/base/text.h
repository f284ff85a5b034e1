// Small text tools that need no heavy header: joining, splitting, strict number parsing.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skerry {

namespace text_detail {
inline void append(std::string& out, std::string_view part) { out += part; }
inline void append(std::string& out, char part) { out += part; }
void append(std::string& out, std::same_as<bool> auto part) { out += part ? "true" : "false"; }
template <std::integral T>
  requires(!std::same_as<T, bool> && !std::same_as<T, char>)
void append(std::string& out, T part) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, part).ptr;
  out.append(digits, end);
}
}  // namespace text_detail

// Joins texts and integers: cat("cpu ", 2, " of ", name).
template <typename... Parts>
std::string cat(const Parts&... parts) {
  std::string out;
  (text_detail::append(out, parts), ...);
  return out;
}

// Parses a whole decimal integer: no sign but '-', no spaces, nothing behind it, no overflow.
// `what` names the value in the error (kInvalidArgument).
template <std::integral T>
Result<T> parse_int(std::string_view text, std::string_view what) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) {
    return fail(ErrorCode::kInvalidArgument, cat(what, ": \"", text.substr(0, 64), "\" is not a valid number"));
  }
  return value;
}

// Splits at every `separator`; "a,,b" gives three parts, "" gives one empty part.
std::vector<std::string_view> split(std::string_view text, char separator);
// Without leading and trailing spaces, tabs and line ends.
std::string_view trim(std::string_view text);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
// Lower-case hexadecimal.
std::string to_hex(std::string_view bytes);

// For one segment of a URL's path: everything but letters, digits, '-', '.', '_' and '~' as %XX (RFC 3986 section 2.3).
std::string percent_encode(std::string_view segment);

// A label that can be a host name: [a-z0-9]([a-z0-9-]{0,61}[a-z0-9])? (RFC 1123 section 2.1). Names of environments,
// zones, plugins and deployments obey it.
bool is_dns_label(std::string_view text);

}  // namespace skerry
