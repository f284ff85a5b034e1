// Zone: a security domain with its own bridge and address pool. Nothing crosses zones unless a rule allows it.
#pragma once

#include <string>

namespace skerry {

enum class Egress : unsigned char { kNone, kNat };

// Addresses are dotted quads; the pool is the inclusive range of host numbers' addresses.
struct Zone {
  std::string name = "default";
  std::string bridge = "vbr0";
  std::string subnet = "192.168.127.0/24";
  std::string gateway = "192.168.127.1";  // the bridge's own address
  std::string pool_first = "192.168.127.100";
  std::string pool_last = "192.168.127.254";
  Egress egress = Egress::kNat;
  bool operator==(const Zone&) const = default;
};

}  // namespace skerry
