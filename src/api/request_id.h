// Request ids: the word by which one request is found again in the answer's header X-Request-Id, in problem documents,
// in the daemon's log and in the audit trail.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace skerry::api {

// Whether a client's own id is taken over: 1 to 64 of [A-Za-z0-9._:-]. Anything else could break a line of the log or
// a header.
bool is_request_id(std::string_view text);

// Makes ids that no other daemon has made, before a restart neither. Thread-safe.
class RequestIds {
 public:
  RequestIds();
  // "3f9a1c2e-17"
  std::string next();

 private:
  std::string prefix_;
  std::atomic<std::uint64_t> number_{1};
};

}  // namespace skerry::api
