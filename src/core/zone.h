// Zone: a security domain with its own bridge and address pool. Nothing crosses zones unless a rule allows it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace skerry {

// What its environments reach beyond this host: nothing, or everything behind the host's address.
enum class Egress : unsigned char { kNone, kNat };
std::string_view to_text(Egress value);

// Addresses are dotted quads; the pool is the inclusive range of host numbers' addresses.
struct Zone {
  std::string name = "default";
  std::string bridge = "vbr0";
  std::string subnet = "192.168.127.0/24";
  std::string gateway = "192.168.127.1";  // the bridge's own address
  std::string pool_first = "192.168.127.100";
  std::string pool_last = "192.168.127.254";
  Egress egress = Egress::kNat;
  std::string colour = "grey";   // parse_colour()'s form (zone_plan.h)
  std::vector<std::string> dns;  // for its environments that name none; empty: the daemon's
  bool isolated = false;         // its environments do not reach each other either
  WallTime created_at;           // zero: the default zone, which is the daemon's settings
  bool operator==(const Zone&) const = default;
};

}  // namespace skerry
