// Probe: one question to a workload over the network, with a deadline for the whole of it. BLOCKING.
//
// What answers is untrusted: at most kMaxProbeAnswer bytes are read, and only the status line is looked at.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "core/environment.h"

namespace skerry {

inline constexpr std::size_t kMaxProbeAnswer = 4096;

// Where an HTTP or TCP check leads for an environment with this address.
struct ProbeTarget {
  std::string ip;
  std::uint16_t port = 80;
  std::string path = "/";  // HTTP only
  bool operator==(const ProbeTarget&) const = default;
};

// "/healthz", ":8080/healthz", "8080" (TCP), "http://127.0.0.1:8080/x". A host of the URL means the environment itself:
// probes never leave it. kInvalidArgument for anything else.
Result<ProbeTarget> parse_probe_endpoint(const std::string& ip, std::string_view endpoint);

// A status of 200 to 399 within `timeout`. The error says what was wrong: refused, 503, no answer.
Status probe_http(const ProbeTarget& target, Duration timeout);
// A connection, not blocking, within `timeout`.
Result<Fd> connect_to_workload(const ProbeTarget& target, Duration timeout);
// The same, and closed again.
Status probe_tcp(const ProbeTarget& target, Duration timeout);

}  // namespace skerry
