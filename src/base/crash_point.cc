#include "base/crash_point.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <optional>

#include "base/log.h"
#include "base/text.h"

namespace skerry {
namespace {

std::optional<std::uint64_t> chosen_point() {
  const char* text = std::getenv("SKERRY_CRASH_AT");
  if (text == nullptr) return std::nullopt;
  const auto number = parse_int<std::uint64_t>(text, "SKERRY_CRASH_AT");
  if (number) return *number;
  log::error("ignored", {{"error", number.error().message()}});
  return std::nullopt;
}

}  // namespace

void crash_point(std::string_view step) {
  // Each time: a test that forks tells its child.
  const std::optional<std::uint64_t> chosen = chosen_point();
  if (!chosen) return;
  static std::atomic<std::uint64_t> reached{0};
  const std::uint64_t number = ++reached;
  log::info("crash point", {{"number", cat(number)}, {"step", step}});
  if (number == *chosen) ::kill(::getpid(), SIGKILL);
}

}  // namespace skerry
