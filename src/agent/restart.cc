#include "agent/restart.h"

#include <algorithm>

namespace skerry::agent {

std::optional<Duration> restart_delay(const wire::GuestRestartPolicy& policy, int shell_code, std::uint32_t restarts) {
  if (policy.mode == wire::GuestRestart::kNo) return std::nullopt;
  if (policy.mode == wire::GuestRestart::kOnFailure && shell_code == 0) return std::nullopt;
  if (policy.max != 0 && restarts >= policy.max) return std::nullopt;
  Duration delay = std::chrono::milliseconds(policy.backoff_ms);
  for (std::uint32_t i = 0; i < restarts && delay < kLongestBackoff; ++i) delay *= 2;
  return std::min(delay, kLongestBackoff);
}

}  // namespace skerry::agent
