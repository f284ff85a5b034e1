#include "core/deployment_plan.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "core/state_machine.h"

namespace skerry {
namespace {

std::string_view why_replace(const ReplicaView& replica) {
  if (is_over(replica.state)) return "ended";
  // Whoever made it starts it too, and acts on it until then: without that daemon nobody does.
  if (replica.state == State::kCreated) return "never started";
  if (replica.health == Health::kUnhealthy) return "unhealthy";
  return {};
}

std::vector<ReplicaView> by_number(std::vector<ReplicaView> replicas) {
  std::ranges::sort(replicas, {}, &ReplicaView::number);
  return replicas;
}

}  // namespace

bool is_ready(const ReplicaView& replica) {
  return replica.state == State::kRunning && (!replica.has_health_check || replica.health == Health::kHealthy);
}

std::vector<ReplicaStep> plan_deployment(const DeploymentGoal& goal, const std::vector<ReplicaView>& present) {
  std::vector<ReplicaStep> steps;
  std::set<std::uint32_t> taken;
  std::set<std::uint32_t> going;
  std::vector<ReplicaView> kept;
  for (const auto& replica : by_number(present)) {
    taken.insert(replica.number);
    if (replica.state == State::kDeleting) {
      going.insert(replica.number);
    } else {
      kept.push_back(replica);
    }
  }
  // Too many: the highest numbers go, whatever state they are in.
  while (kept.size() > goal.replicas) {
    steps.push_back({ReplicaAct::kRemove, kept.back().number, "scale down"});
    kept.pop_back();
  }
  std::uint32_t ready = 0;
  std::vector<ReplicaView> outdated;
  for (const auto& replica : kept) {
    if (const auto why = why_replace(replica); !why.empty()) {
      steps.push_back({ReplicaAct::kRemove, replica.number, why});
    } else {
      ready += is_ready(replica) ? 1 : 0;
      if (!replica.current_revision) outdated.push_back(replica);
    }
  }
  // One that is not ready costs nothing to replace; a ready one only while enough others are.
  for (const auto& replica : outdated) {
    const bool spare = ready + std::max(1U, goal.max_unavailable) > goal.replicas;
    if (is_ready(replica) && !spare) continue;
    if (is_ready(replica)) --ready;
    steps.push_back({ReplicaAct::kRemove, replica.number, "older revision"});
  }
  std::ranges::sort(steps, {}, &ReplicaStep::number);
  auto missing = goal.replicas - static_cast<std::uint32_t>(kept.size());
  for (std::uint32_t number = 1; missing > 0; ++number) {
    if (taken.contains(number) && !going.contains(number)) continue;
    // A number that is being deleted will be free soon, and is then the lowest: wait for it.
    if (!going.contains(number)) steps.push_back({ReplicaAct::kCreate, number, "scale up"});
    --missing;
  }
  return steps;
}

std::string replica_name(std::string_view deployment, std::uint32_t number) { return cat(deployment, "-", number); }

std::uint32_t replica_number(std::string_view deployment, std::string_view environment_name) {
  if (!environment_name.starts_with(deployment)) return 0;
  environment_name.remove_prefix(deployment.size());
  if (!environment_name.starts_with('-') || environment_name.starts_with("-0")) return 0;
  return parse_int<std::uint32_t>(environment_name.substr(1), "replica").value_or(0);
}

}  // namespace skerry
