// What the rules of net.connect and net.egress mean for addresses: what the firewall opens between zones and out of
// them, and what it closes. Pure.
//
// Within a zone nobody asks the rules: who shares a bridge reaches each other (or, isolated, does not). Between zones
// everything is closed but what a rule allows. Out of a zone with egress nat everything is open but what a rule denies,
// out of one without nothing but what a rule allows. "ask" opens nothing (nobody can be asked for a packet), nor does a
// rule with target= (packets go where they are sent), nor one about @host or @dispvm.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/environment.h"
#include "core/net.h"
#include "core/policy.h"
#include "core/zone.h"

namespace skerry {

struct Passage {
  struct Port {
    Protocol protocol = Protocol::kTcp;
    std::uint16_t number = 0;
    auto operator<=>(const Port&) const = default;
  };
  Ipv4 source;
  std::optional<Ipv4> target;  // unset: beyond the host
  std::optional<Port> port;    // unset: all of TCP and UDP
  auto operator<=>(const Passage&) const = default;
};

// One port counts before all ports, and where both are the same, what is denied.
struct NetPolicy {
  std::vector<Passage> allowed;  // sorted
  std::vector<Passage> denied;   // sorted: exceptions to what is allowed, or to a zone's egress
  bool operator==(const NetPolicy&) const = default;
};

// So many addresses times ports and no more: the firewall is loaded at each start.
inline constexpr std::size_t kMaxPassages = 65536;

// For all environments that have an address and may be running. kResourceExhausted beyond kMaxPassages: name ports and
// zones more closely.
Result<NetPolicy> net_policy(const Policy& policy, const EnvironmentViews& environments,
                             const std::vector<Zone>& zones);

// Nothing crosses zones or leaves them, whatever their egress.
NetPolicy closed_net_policy(const EnvironmentViews& environments);

// The same for one question, for people: what decides between these two, zones included. Services that are not of the
// network, and sides that are no environments, are for the rules alone.
PolicyDecision decide_with_zones(const Policy& policy, const PolicyRequest& request, const std::vector<Zone>& zones,
                                 const PolicyLookup& lookup);

}  // namespace skerry
