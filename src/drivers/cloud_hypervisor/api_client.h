// ApiClient: calls of Cloud Hypervisor's REST API over its unix socket, blocking, one at a time, each with a deadline.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "drivers/cloud_hypervisor/api.h"

namespace skerry::cloud_hypervisor {

class ApiClient {
 public:
  // kNotFound / kUnavailable: no VMM listens there.
  static Result<ApiClient> connect(const std::string& socket_path);

  // One request and the body of its success (check_answer()). `fds` go along (SCM_RIGHTS). kDeadlineExceeded,
  // kUnavailable (the VMM went), kCorrupt and kResourceExhausted (an answer that is none) end the connection's use.
  Result<std::string> call(const ApiRequest& request, Duration timeout, const std::vector<int>& fds = {});

 private:
  explicit ApiClient(Fd socket) : socket_(std::move(socket)) {}
  Result<HttpAnswer> receive(MonoTime deadline);
  Status receive_some(MonoTime deadline);

  Fd socket_;
  std::string buffer_;  // what has come and not been taken yet
};

}  // namespace skerry::cloud_hypervisor
