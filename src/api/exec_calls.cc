#include "api/exec_calls.h"

#include <utility>

#include "base/text.h"

namespace skerry::api {

Status ExecCalls::start(const std::string& environment,
                        std::function<void(const std::function<bool()>& cancelled)> work) {
  const std::lock_guard lock(mutex_);
  if (!running_) return fail(ErrorCode::kUnavailable, "the daemon is stopping");
  auto& calls = in_[environment];
  if (calls >= kMaxInOne) {
    return fail(ErrorCode::kUnavailable,
                cat(calls, " commands of clients are running in \"", environment, "\" already"),
                "wait for one of them to end");
  }
  auto run = [this, environment,
              work = std::move(work)](OperationProgress& progress) -> Result<std::map<std::string, std::string>> {
    work([&progress] { return progress.cancelled(); });
    ended(environment);
    return std::map<std::string, std::string>{};
  };
  auto started = running_->start("exec", environment, std::move(run));
  if (!started) {
    if (calls == 0) in_.erase(environment);
    return fail(ErrorCode::kUnavailable, cat(kMaxCalls, " commands of clients are running already"),
                "wait for one of them to end");
  }
  ++calls;
  return {};
}

void ExecCalls::ended(const std::string& environment) {
  const std::lock_guard lock(mutex_);
  const auto found = in_.find(environment);
  if (found != in_.end() && --found->second == 0) in_.erase(found);
}

void ExecCalls::stop() {
  std::unique_ptr<Operations> running;
  {
    const std::lock_guard lock(mutex_);
    running = std::move(running_);
  }
  running.reset();
}

}  // namespace skerry::api
