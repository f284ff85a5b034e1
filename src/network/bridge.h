// The bridge of a zone, and what the host needs to route for it.
#pragma once

#include <string>

#include "base/result.h"
#include "core/net.h"

namespace skerry::network {

struct BridgeSpec {
  std::string name = "vbr0";
  Cidr address;  // the bridge's own, with the prefix of the zone's subnet: the environments' gateway
};

// Makes the bridge, or adopts one of that name that is there already (it keeps its ports and its other addresses);
// gives it the address, brings it up, turns IPv4 forwarding on and lets published ports be reached from 127.0.0.1
// (route_localnet; the firewall keeps everybody else from using that). Safe to repeat. Undone when it fails.
// kConflict: the name belongs to a device that is no bridge, or the subnet overlaps with one the host is already in.
Status ensure_bridge(const BridgeSpec& spec);

// Deletes the bridge. Missing is success; kConflict while ports that are not ours are on it.
Status remove_bridge(const std::string& name);

}  // namespace skerry::network
