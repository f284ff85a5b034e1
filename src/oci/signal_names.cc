#include "oci/signal_names.h"

#include <csignal>
#include <cstring>
#include <string>

#include "base/text.h"

namespace skerry::oci {
namespace {

std::unexpected<Error> unknown(std::string_view text) {
  return fail(ErrorCode::kInvalidArgument, cat("unknown signal \"", text.substr(0, 32), "\""));
}

// "MIN", "MIN+3", "MAX-2" behind "RT".
Result<int> realtime_signal(std::string_view rest, std::string_view whole) {
  const bool from_min = rest.starts_with("MIN");
  if (!from_min && !rest.starts_with("MAX")) return unknown(whole);
  // The kernel's range; the C library keeps the first two of it for itself, the caller may still mean them.
  constexpr int kFirst = 34;
  constexpr int kLast = 64;
  int number = from_min ? kFirst : kLast;
  if (rest.size() > 3) {
    if (rest[3] != (from_min ? '+' : '-')) return unknown(whole);
    const auto offset = parse_int<int>(rest.substr(4), "signal");
    if (!offset || *offset < 0) return unknown(whole);
    number += from_min ? *offset : -*offset;
  }
  if (number < kFirst || number > kLast) return unknown(whole);
  return number;
}

}  // namespace

Result<int> parse_signal(std::string_view text) {
  std::string name;
  for (const char c : text) name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  if (!name.empty() && name.front() >= '0' && name.front() <= '9') {
    const auto number = parse_int<int>(name, "signal");
    if (!number || *number > 64) return unknown(text);
    return *number;
  }
  if (name.starts_with("SIG")) name.erase(0, 3);
  if (name.starts_with("RT")) return realtime_signal(std::string_view(name).substr(2), text);
  for (int number = 1; number < 32; ++number) {
    const char* known = ::sigabbrev_np(number);
    if (known != nullptr && name == known) return number;
  }
  if (name == "CLD") return SIGCHLD;
  if (name == "IOT") return SIGABRT;
  return unknown(text);
}

}  // namespace skerry::oci
