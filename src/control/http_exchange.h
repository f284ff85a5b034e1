// HttpExchange: one request to a workload over the network and its whole answer, with a deadline for both. BLOCKING.
//
// HTTP/1.0 (RFC 1945): the answer ends with the connection and is not chunked. What answers is untrusted: a bounded
// number of bytes is taken, and a host of a URL never leads away from the environment.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "control/probe.h"
#include "core/environment.h"
#include "wire/http_answer.h"

namespace skerry {

inline constexpr std::size_t kMaxExchangeAnswer = 1U << 20U;

struct HttpQuestion {
  std::string method = "GET";
  ProbeTarget target;
  std::string content_type;
  std::string body;
  HttpHeaders headers{};                        // more of them; without line ends
  std::size_t most_bytes = kMaxExchangeAnswer;  // of the answer, its head included
};

// Where a request for `path` ("/…") of this environment leads: a container's workload itself, below its base_url; a
// microVM's agent, which carries it to the base_url inside. kConflict when it has no base_url or no address.
Result<ProbeTarget> workload_target(const Environment& environment, std::string_view path);

// kDeadlineExceeded, kUnavailable (refused, cut off), kResourceExhausted (too long an answer), kCorrupt (not HTTP),
// kCancelled when `cancelled` says so.
Result<HttpAnswer> ask_http(const HttpQuestion& question, Duration timeout, const std::function<bool()>& cancelled);

}  // namespace skerry
