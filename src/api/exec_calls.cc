#include "api/exec_calls.h"

#include <utility>

#include "base/rollback.h"
#include "base/text.h"

namespace skerry::api {

namespace {

std::unexpected<Error> too_many(const std::string& what) {
  return fail(ErrorCode::kUnavailable, what, "wait for one of them to end");
}

void give_back(std::map<std::string, std::size_t>& counts, const std::string& key) {
  const auto found = counts.find(key);
  if (found != counts.end() && --found->second == 0) counts.erase(found);
}

std::size_t count_of(const std::map<std::string, std::size_t>& counts, const std::string& key) {
  const auto found = counts.find(key);
  return found == counts.end() ? 0 : found->second;
}

}  // namespace

Status ExecCalls::check(const Share& share) {
  if (!running_) return fail(ErrorCode::kUnavailable, "the daemon is stopping");
  if (count_of(in_, share.environment) >= kMaxInOne) {
    return too_many(cat(kMaxInOne, " commands of clients are running in \"", share.environment, "\" already"));
  }
  if (share.tenant.empty()) return {};
  if (count_of(of_, share.tenant) >= kMaxOfOne) {
    return too_many(cat(kMaxOfOne, " commands of ", share.tenant, " are running already"));
  }
  std::size_t tenants = 0;
  for (const auto& [tenant, calls] : of_) tenants += calls;
  if (tenants >= kMaxOfTenants) return too_many(cat(tenants, " commands of clients are running already"));
  return {};
}

Status ExecCalls::start(const Caller& caller, const std::string& environment,
                        std::function<void(const std::function<bool()>& cancelled)> work) {
  const Share share{environment, caller.owns_host() ? std::string() : caller.name};
  const std::lock_guard lock(mutex_);
  TRY(check(share));
  auto run = [this, share,
              work = std::move(work)](OperationProgress& progress) -> Result<std::map<std::string, std::string>> {
    Rollback done;  // also when something is thrown
    done.add([&] { ended(share); });
    work([&progress] { return progress.cancelled(); });
    return std::map<std::string, std::string>{};
  };
  auto started = running_->start("exec", environment, std::move(run));
  if (!started) return too_many(cat(kMaxCalls, " commands of clients are running already"));
  ++in_[share.environment];
  if (!share.tenant.empty()) ++of_[share.tenant];
  return {};
}

void ExecCalls::ended(const Share& share) {
  const std::lock_guard lock(mutex_);
  give_back(in_, share.environment);
  if (!share.tenant.empty()) give_back(of_, share.tenant);
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
