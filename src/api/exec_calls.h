// ExecCalls: the commands that clients wait for, each on a thread of its own, so that commands that hang, and hostile
// environments that keep a command from starting, hold up neither other requests nor each other's environments.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "api/caller.h"
#include "control/operations.h"

namespace skerry::api {

class ExecCalls {
 public:
  // At once, of all clients, and in one environment.
  static constexpr std::size_t kMaxCalls = 64;
  static constexpr std::size_t kMaxInOne = 16;
  // Of all who do not own the host, and of each of them: tenants do not lock out each other, nor who would end them.
  static constexpr std::size_t kMaxOfTenants = 56;
  static constexpr std::size_t kMaxOfOne = 24;

  explicit ExecCalls(Clock& clock) : running_(std::make_unique<Operations>(clock, kMaxCalls)) {}

  // Starts `work`; its argument says whether it should end early. kUnavailable: too many, or the daemon stops.
  Status start(const Caller& caller, const std::string& environment,
               std::function<void(const std::function<bool()>& cancelled)> work);
  // Cancels everything and waits for it. Nothing may be started any more.
  void stop();

 private:
  // Of an environment, and of a caller that does not own the host.
  struct Share {
    std::string environment;
    std::string tenant;  // empty: the host's owner
  };
  Status check(const Share& share);
  void ended(const Share& share);

  std::mutex mutex_;
  std::map<std::string, std::size_t> in_;  // environment → calls
  std::map<std::string, std::size_t> of_;  // tenant → calls
  std::unique_ptr<Operations> running_;
};

}  // namespace skerry::api
