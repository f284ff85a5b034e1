#include <algorithm>

#include "api/mcp.h"

namespace skerry::api {
namespace {
constexpr std::size_t kKeptEnded = 1024;
}

Result<std::string> McpCalls::start(std::string tool, OperationWork work) {
  const std::lock_guard lock(mutex_);
  if (!work_) return fail(ErrorCode::kUnavailable, "the daemon is stopping");
  return TRY(work_->start(std::move(tool), {}, std::move(work))).id;
}

void McpCalls::cancel(const std::string& operation) {
  const std::lock_guard lock(mutex_);
  if (work_) static_cast<void>(work_->cancel(operation));
}

void McpCalls::stop() {
  std::unique_ptr<Operations> work;
  {
    const std::lock_guard lock(mutex_);
    work = std::move(work_);
  }
  // Its end waits for the threads, which may call back.
  work.reset();
}

void McpCalls::remember(const std::string& session, const std::string& request, const std::string& operation) {
  const std::lock_guard lock(mutex_);
  running_[{session, request}] = operation;
}

void McpCalls::forget(const std::string& session, const std::string& request) {
  const std::lock_guard lock(mutex_);
  running_.erase({session, request});
}

void McpCalls::cancel_request(const std::string& session, const std::string& request) {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find({session, request});
  if (work_ && found != running_.end()) static_cast<void>(work_->cancel(found->second));
}

void McpCalls::end_session(const std::string& session) {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, operation] : running_) {
    if (work_ && key.first == session) static_cast<void>(work_->cancel(operation));
  }
  ended_.push_back(session);
  if (ended_.size() > kKeptEnded) ended_.pop_front();
}

bool McpCalls::has_ended(const std::string& session) {
  const std::lock_guard lock(mutex_);
  return std::ranges::find(ended_, session) != ended_.end();
}

}  // namespace skerry::api
