#include "core/deployment_plan.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <set>
#include <utility>

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

struct Roster {
  std::set<std::uint32_t> taken;     // numbers, also of what is being deleted
  std::vector<ReplicaView> staying;  // of the wanted numbers, in their order
  std::vector<ReplicaView> surplus;
};

Roster sort_out(const DeploymentGoal& goal, std::vector<ReplicaView> present) {
  std::ranges::sort(present, {}, &ReplicaView::number);
  Roster roster;
  for (const auto& replica : present) {
    roster.taken.insert(replica.number);
    if (replica.state == State::kDeleting) continue;
    (replica.number <= goal.replicas ? roster.staying : roster.surplus).push_back(replica);
  }
  return roster;
}

bool serves(const ReplicaView& replica) { return is_ready(replica) && why_replace(replica).empty(); }
bool is_right(const ReplicaView& replica) { return replica.current_revision && serves(replica); }

// The surplus that goes on: as many as there are wanted numbers without a right replica. Of the current revision first,
// as the other one may be what somebody wants to get rid of; then the lowest.
std::vector<ReplicaView> held_of(const DeploymentGoal& goal, const Roster& roster) {
  if (goal.surplus == Surplus::kLetGo) return {};
  const auto lacking = goal.replicas - std::ranges::count_if(roster.staying, is_right);
  std::vector<ReplicaView> held;
  std::ranges::copy_if(roster.surplus, std::back_inserter(held), serves);
  std::ranges::stable_partition(held, &ReplicaView::current_revision);
  if (std::cmp_greater(held.size(), lacking)) held.resize(static_cast<std::size_t>(lacking));
  return held;
}

}  // namespace

bool is_ready(const ReplicaView& replica) {
  return replica.state == State::kRunning && (!replica.has_health_check || replica.health == Health::kHealthy);
}

std::vector<ReplicaStep> plan_deployment(const DeploymentGoal& goal, const std::vector<ReplicaView>& present) {
  const Roster roster = sort_out(goal, present);
  const auto held = held_of(goal, roster);
  std::vector<ReplicaStep> steps;
  for (const auto& replica : roster.surplus) {
    if (std::ranges::find(held, replica) == held.end())
      steps.push_back({ReplicaAct::kRemove, replica.number, "scale down"});
  }
  auto ready = static_cast<std::uint32_t>(held.size());
  std::vector<ReplicaView> outdated;
  for (const auto& replica : roster.staying) {
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
  // A number that is being deleted will be free soon: wait for it.
  for (std::uint32_t number = 1; number <= goal.replicas; ++number) {
    if (!roster.taken.contains(number)) steps.push_back({ReplicaAct::kCreate, number, "scale up"});
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
