// HttpExchange: one request to a workload over the network and its whole answer, with a deadline for both. BLOCKING.
//
// HTTP/1.0 (RFC 1945): the answer ends with the connection and is not chunked. What answers is untrusted: at most
// kMaxExchangeAnswer bytes are taken, and a host of a URL never leads away from the environment.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "control/probe.h"
#include "core/environment.h"

namespace skerry {

inline constexpr std::size_t kMaxExchangeAnswer = 1U << 20U;

struct HttpQuestion {
  std::string method = "GET";
  ProbeTarget target;
  std::string content_type;
  std::string body;
};
struct HttpAnswer {
  int status = 0;
  std::string content_type;
  std::string body;
};

// Where an action of this environment leads: a container's workload itself, below its base_url; a microVM's agent,
// which carries it to the base_url inside. kConflict when it has no base_url or no address.
Result<ProbeTarget> action_target(const Environment& environment, const WorkloadAction& action);

// kDeadlineExceeded, kUnavailable (refused, cut off), kResourceExhausted (too long an answer), kCorrupt (not HTTP),
// kCancelled when `cancelled` says so.
Result<HttpAnswer> ask_http(const HttpQuestion& question, Duration timeout, const std::function<bool()>& cancelled);

// The parts of a whole answer.
Result<HttpAnswer> parse_http_answer(std::string_view bytes);

}  // namespace skerry
