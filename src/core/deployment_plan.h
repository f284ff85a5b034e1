// What a deployment needs next: which replicas to make and which to remove. Pure and level-triggered.
//
// Replicas are numbered from 1 to the number that is wanted; the lowest free number is filled first, and scaling down
// removes those above, the highest first. A replica that ended by itself, or is unhealthy, is removed so that its
// number is filled anew. A replica of an older revision is replaced while no more than `max_unavailable` of the wanted
// ones are missing or not ready.
//
// What is above serves on in the stead of numbers that have no ready replica of the current revision, one for each,
// until they have it: to scale down takes nothing away that is needed meanwhile. Who plans says for how long
// (Surplus::kLetGo), so that a number that never gets ready does not keep others for ever.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/environment.h"

namespace skerry {

// The label of a replica that says which configuration it was made from.
inline constexpr std::string_view kRevisionLabel = "skerry.revision";

struct ReplicaView {
  std::uint32_t number = 0;
  State state = State::kRunning;
  Health health = Health::kUnknown;
  bool has_health_check = false;
  bool current_revision = true;
  bool operator==(const ReplicaView&) const = default;
};

// Of ready replicas above the wanted number.
enum class Surplus : std::uint8_t {
  kHold,  // as long as they are needed
  kLetGo,
};

struct DeploymentGoal {
  std::uint32_t replicas = 0;
  std::uint32_t max_unavailable = 1;  // at least 1: a rolling update must be able to move
  Surplus surplus = Surplus::kHold;
};

enum class ReplicaAct : std::uint8_t { kCreate, kRemove };
struct ReplicaStep {
  ReplicaAct act = ReplicaAct::kCreate;
  std::uint32_t number = 0;
  std::string_view why;  // "scale up", "scale down", "ended", "unhealthy", "older revision"
  bool operator==(const ReplicaStep&) const = default;
};

// Runs and, where it has a check, is healthy.
bool is_ready(const ReplicaView& replica);

// At most one step per number; in order of number within each act.
std::vector<ReplicaStep> plan_deployment(const DeploymentGoal& goal, const std::vector<ReplicaView>& present);

// "web" and 3 → "web-3", and back: the number of a replica of `deployment`, 0 when the name is none.
std::string replica_name(std::string_view deployment, std::uint32_t number);
std::uint32_t replica_number(std::string_view deployment, std::string_view environment_name);

}  // namespace skerry
