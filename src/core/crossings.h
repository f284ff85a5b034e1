// What of the network's rules is enforced when they mean more passages than the firewall is loaded with
// (kMaxPassages): the largest crossings are closed, and all others stay as the rules have them. Pure.
//
// A crossing is all that goes from one zone to another, or out of one. Its size is its addresses, times ports: who runs
// so many environments that all do not fit makes the largest ones, and closes none of others' zones.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/net_policy.h"

namespace skerry {

struct Crossing {
  std::string from;  // zones
  std::string to;    // empty: beyond the host
  std::size_t passages = 0;
  bool operator==(const Crossing&) const = default;
};
std::string to_text(const Crossing& crossing);  // "from zone \"work\" to zone \"vault\" (70000 passages)"

struct BoundedNetPolicy {
  NetPolicy policy;
  std::vector<Crossing> closed;  // the largest first; of one that leaves a zone with egress everything is denied
};
Result<BoundedNetPolicy> bounded_net_policy(const Policy& policy, const EnvironmentViews& environments,
                                            const std::vector<Zone>& zones);

// What decides between these two as far as packets are concerned: denied, with the reason, where its crossing is
// closed.
PolicyDecision decide_in_bounds(PolicyDecision decision, const PolicyRequest& request,
                                const std::vector<Crossing>& closed);

}  // namespace skerry
