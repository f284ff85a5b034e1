// The thread of Deployments: what it looks at, and what it does about it.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "control/deployment_checks.h"
#include "control/deployment_revision.h"
#include "control/deployment_services.h"
#include "control/deployments.h"
#include "core/plan.h"

namespace skerry {
namespace {

constexpr auto kLookAnyway = std::chrono::seconds(5);

// Why a replica goes that did not do its work.
bool is_crash(std::string_view why) { return why == "ended" || why == "unhealthy"; }

// "ended with exit code 1: out of memory".
std::string why_replaced(const EnvironmentStatus& status, std::string_view why) {
  return cat(why, status.exit_code ? cat(" with exit code ", *status.exit_code) : "",
             status.reason.empty() ? "" : cat(": ", status.reason));
}

}  // namespace

void Deployments::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    Duration patience = kLookAnyway;
    const MonoTime now = clock_.monotonic();
    for (const auto& [name, backoff] : backoffs_) {
      if (backoff.not_before > now) patience = std::min(patience, backoff.not_before - now);
    }
    wake_.wait_for(lock, patience, [this] { return dirty_ || stopping_; });
    if (stopping_) return;
    dirty_ = false;
    lock.unlock();
    reconcile();
    lock.lock();
  }
}

void Deployments::reconcile() {
  const auto deployments = store_.deployments();
  if (!deployments) {
    log::error("cannot read deployments", {{"error", deployments.error().message()}});
    return;
  }
  // First: a replica that has just become ready, or sick, is not to wait for what else there is to do.
  if (std::ranges::any_of(*deployments, [](const auto& each) { return each.service.has_value(); }))
    refresh_services(controller_);
  const auto environments = controller_.views();
  for (const auto& deployment : *deployments) reconcile_one(deployment, environments);
  remove_orphans(*deployments, environments);
}

void Deployments::reconcile_one(const Deployment& deployment, const EnvironmentViews& environments) {
  std::vector<ReplicaView> present;
  for (const auto& view : environments) {
    const Environment& environment = *view;
    if (environment.spec.deployment == deployment.name) present.push_back(view_of(deployment, environment));
  }
  forget_backoffs(deployment.name, present);
  const bool can_create = lack_of(store_, deployment).empty();
  for (const auto& step : plan_deployment(goal_of(deployment, present, can_create), present)) {
    // What cannot be made again is not taken away for being sick or old.
    if (!can_create && step.why != "scale down") continue;
    if (step.act == ReplicaAct::kCreate) {
      create_replica(deployment, step.number);
      continue;
    }
    const std::string name = replica_name(deployment.name, step.number);
    const auto found = std::ranges::find(environments, name, [](const auto& each) { return each->spec.name; });
    if (found == environments.end() || !remove_replica(**found, step.why)) continue;
    if (is_crash(step.why) && view_of(deployment, **found).current_revision) {
      count_failure(deployment, cat(name, ": ", why_replaced((*found)->status, step.why)));
    }
  }
  if (deployment.rolling) judge_update(deployment, present);
}

DeploymentGoal Deployments::goal_of(const Deployment& deployment, const std::vector<ReplicaView>& present,
                                    bool can_create) {
  const bool surplus = std::ranges::any_of(
      present, [&](const auto& each) { return each.number > deployment.replicas && each.state != State::kDeleting; });
  DeploymentGoal goal{deployment.replicas, deployment.max_unavailable};
  const MonoTime now = clock_.monotonic();
  const std::lock_guard lock(mutex_);
  if (!surplus || !can_create) {
    surplus_since_.erase(deployment.name);
  } else if (now - surplus_since_.try_emplace(deployment.name, now).first->second >= kSurplusPatience) {
    goal.surplus = Surplus::kLetGo;
  }
  return goal;
}

void Deployments::count_failure(const Deployment& deployment, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  auto& failures = failures_[deployment.name][full_revision_of(deployment)];
  ++failures.count;
  failures.last = reason;
}

Deployments::Failures Deployments::failures_of(const Deployment& deployment) const {
  const std::lock_guard lock(mutex_);
  const auto revisions = failures_.find(deployment.name);
  if (revisions == failures_.end()) return {};
  const auto found = revisions->second.find(full_revision_of(deployment));
  return found == revisions->second.end() ? Failures{} : found->second;
}

void Deployments::forget_failures(const std::string& deployment) {
  const std::lock_guard lock(mutex_);
  failures_.erase(deployment);
  taken_back_.erase(deployment);
}

void Deployments::judge_update(const Deployment& deployment, const std::vector<ReplicaView>& present) {
  const bool done = present.size() == deployment.replicas && std::ranges::all_of(present, [&](const auto& each) {
                      return each.number <= deployment.replicas && each.current_revision && is_ready(each);
                    });
  const auto failures = failures_of(deployment);
  if (!done && (deployment.reverting || failures.count < kFailuresToRollBack)) return;
  std::map<std::string, std::string> details;
  if (!done) details["reason"] = failures.last;
  if (!done && !deployment.plugin_version.empty()) details["failed_plugin_version"] = deployment.plugin_version;
  const auto edit = [&](Deployment& now) -> Status {
    if (!now.rolling || now.reverting != deployment.reverting || !is_same_revision(now, deployment)) {
      return fail(ErrorCode::kConflict, "it has been changed meanwhile");
    }
    if (!done) return take_back(now);
    now.rolling = now.reverting = false;
    return {};
  };
  const auto judged = change(deployment.name, {done ? "rolled_out" : "rolled_back"}, edit, details);
  if (!judged) return;
  forget_failures(deployment.name);
  if (!done) {
    const std::lock_guard lock(mutex_);
    taken_back_[deployment.name] = failures.last;
  }
  log::info(done ? "an update is complete" : "an update has failed and is taken back",
            {{"deployment", deployment.name}});
}

void Deployments::remove_orphans(const std::vector<Deployment>& deployments, const EnvironmentViews& environments) {
  for (const auto& view : environments) {
    const Environment& environment = *view;
    const auto& owner = environment.spec.deployment;
    if (owner.empty() || environment.status.state == State::kDeleting) continue;
    const bool owned = std::ranges::any_of(deployments, [&](const auto& each) { return each.name == owner; });
    if (!owned) remove_replica(environment, "its deployment was deleted");
  }
}

bool Deployments::claim(const std::string& name, bool creating) {
  const std::lock_guard lock(mutex_);
  if (stopping_ || busy_.contains(name)) return false;
  const auto backoff = backoffs_.find(name);
  if (creating && backoff != backoffs_.end() && clock_.monotonic() < backoff->second.not_before) return false;
  busy_.insert(name);
  return true;
}

void Deployments::release(const std::string& name, bool failed) {
  {
    const std::lock_guard lock(mutex_);
    busy_.erase(name);
    if (failed) {
      auto& backoff = backoffs_[name];
      backoff.not_before = clock_.monotonic() + restart_delay({RestartMode::kAlways, 0, 500}, backoff.failures++);
    }
    dirty_ = true;
    // Notified under the lock: once busy_ is empty the destructor may go on.
    wake_.notify_one();
    idle_.notify_all();
  }
}

void Deployments::forget_backoffs(const std::string& deployment, const std::vector<ReplicaView>& present) {
  const MonoTime now = clock_.monotonic();
  const std::lock_guard lock(mutex_);
  for (const auto& replica : present) {
    const auto found = backoffs_.find(replica_name(deployment, replica.number));
    if (found == backoffs_.end()) continue;
    auto& since = found->second.ready_since;
    if (!is_ready(replica)) {
      since.reset();
    } else if (!since) {
      since = now;
    } else if (now - *since >= kSteadyAfter) {
      backoffs_.erase(found);
    }
  }
}

void Deployments::create_replica(const Deployment& deployment, std::uint32_t number) {
  const std::string name = replica_name(deployment.name, number);
  auto command = replica_command(deployment, number);
  if (!command || !claim(name, true)) return;
  const auto created = [this, name, owner = deployment](const Result<Environment>& result) {
    if (!result) {
      log::warning("replica did not start", {{"name", name}, {"error", result.error().message()}});
      count_failure(owner, cat(name, ": ", result.error().message()));
    }
    release(name, !result);
  };
  // What was planned may be long ago, for a thread that was held up: a scale-down or an update since then would get one
  // too many.
  const std::lock_guard lock(change_mutex_);
  if (!is_still_wanted(deployment, number)) return release(name, false);
  controller_.submit(std::move(*command), created);
}

bool Deployments::is_still_wanted(const Deployment& deployment, std::uint32_t number) {
  const auto stored = store_.deployments();
  if (!stored) return false;
  const auto now = std::ranges::find(*stored, deployment.name, &Deployment::name);
  return now != stored->end() && number <= now->replicas && is_same_revision(*now, deployment);
}

bool Deployments::remove_replica(const Environment& seen, std::string_view why) {
  const std::string& name = seen.spec.name;
  if (!claim(name, false)) return false;
  // Its creation may have come to its end since: what had not been started runs now.
  const auto now = controller_.find(name);
  if (!now || now->id != seen.id || now->status.state != seen.status.state) {
    release(name, false);
    return false;
  }
  log::info("removing a replica", {{"name", name}, {"why", why}});
  VerbCommand command;
  command.name = name;
  command.verb = Verb::kForceDelete;
  // One that ended by itself waits before it is made again; otherwise a crash loop would spin.
  controller_.submit(std::move(command), [this, name, crashed = is_crash(why)](const Result<Environment>& result) {
    release(name, crashed || !result);
  });
  return true;
}

}  // namespace skerry
