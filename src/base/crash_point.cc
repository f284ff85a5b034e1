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

struct Chosen {
  std::uint64_t number = 0;
  std::string_view step;  // its beginning
};

std::optional<Chosen> chosen_point() {
  const char* variable = std::getenv("SKERRY_CRASH_AT");
  if (variable == nullptr) return std::nullopt;
  const std::string_view text(variable);
  const auto space = text.find(' ');
  const auto number = parse_int<std::uint64_t>(text.substr(0, space), "SKERRY_CRASH_AT");
  if (number) return Chosen{*number, space == std::string_view::npos ? std::string_view() : text.substr(space + 1)};
  log::error("ignored", {{"error", number.error().message()}});
  return std::nullopt;
}

}  // namespace

void crash_point(std::string_view step) {
  // Each time: a test that forks tells its child.
  const std::optional<Chosen> chosen = chosen_point();
  if (!chosen) return;
  static std::atomic<std::uint64_t> reached{0};
  static std::atomic<std::uint64_t> matching{0};
  log::info("crash point", {{"number", cat(++reached)}, {"step", step}});
  if (step.starts_with(chosen->step) && ++matching == chosen->number) ::kill(::getpid(), SIGKILL);
}

}  // namespace skerry
