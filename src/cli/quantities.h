// What people write for sizes, times and paths on the command line, as the API takes it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace skerry::cli {

// "512" (MiB), "512m", "1g", "1.5g", "65536k", also "mb" and "MiB": whole MiB. kInvalidArgument.
Result<std::uint32_t> parse_memory_mib(std::string_view text);
// A time as RFC 3339, or how long ago: "90s", "10m", "2h", "1h30m", "7d". As RFC 3339.
Result<std::string> parse_since(std::string_view text, WallTime now);
// Absolute and without "." and "..": the daemon has another working directory.
Result<std::string> absolute_path(std::string_view path);

}  // namespace skerry::cli
