// Whether and when the workload is started again (C35). Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "wire/agent_protocol.h"

namespace skerry::agent {

inline constexpr Duration kLongestBackoff = std::chrono::minutes(5);
// A workload that has run this long has proved itself: its next failure counts as the first again.
inline constexpr Duration kProvenRun = std::chrono::seconds(30);

// The delay before the next start, doubling with every restart in a row; nullopt: it has ended for good.
std::optional<Duration> restart_delay(const wire::GuestRestartPolicy& policy, int shell_code, std::uint32_t restarts);

}  // namespace skerry::agent
