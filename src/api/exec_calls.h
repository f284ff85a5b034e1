// ExecCalls: the commands that clients wait for, each on a thread of its own, so that commands that hang, and hostile
// environments that keep a command from starting, hold up neither other requests nor each other's environments.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "control/operations.h"

namespace skerry::api {

class ExecCalls {
 public:
  // At once, of all clients, and in one environment.
  static constexpr std::size_t kMaxCalls = 64;
  static constexpr std::size_t kMaxInOne = 16;

  explicit ExecCalls(Clock& clock) : running_(std::make_unique<Operations>(clock, kMaxCalls)) {}

  // Starts `work`; its argument says whether it should end early. kUnavailable: too many, or the daemon stops.
  Status start(const std::string& environment, std::function<void(const std::function<bool()>& cancelled)> work);
  // Cancels everything and waits for it. Nothing may be started any more.
  void stop();

 private:
  void ended(const std::string& environment);

  std::mutex mutex_;
  std::map<std::string, std::size_t> in_;  // environment → calls
  std::unique_ptr<Operations> running_;
};

}  // namespace skerry::api
