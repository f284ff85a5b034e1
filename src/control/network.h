// Network: what the controller asks of the host's network. Implemented over network/ by HostNetwork; faked in tests.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/environment.h"
#include "core/net.h"
#include "core/net_policy.h"
#include "core/service.h"
#include "core/zone.h"

namespace skerry {

class Network {
 public:
  virtual ~Network() = default;
  // Makes or adopts each zone's bridge and loads the firewall with no environment let through: from here on it fails
  // closed. Bridges of our making whose zone is not among these go. Once; the first zone is the default one, whose
  // failure is an error. Answers why others cannot stand, by name: their rules hold, but none gets egress.
  virtual Result<std::map<std::string, std::string>> open(const std::vector<Zone>& zones) = 0;
  // The networks of the host's devices, loopback left out.
  virtual Result<std::vector<Cidr>> host_networks() = 0;
  // Rules first, then the bridge; undone when it fails. kConflict: a device of that name is there.
  virtual Status add_zone(const Zone& zone) = 0;
  // Of a zone that no environment uses. kConflict while ports that are not ours are on its bridge; then all is as
  // before.
  virtual Status remove_zone(const std::string& name) = 0;
  // Whether the host's port may be published now: no program of the host listens on it. kConflict, kInvalidArgument.
  virtual Status check_port(const PublishedPort& port) = 0;
  // Whether the address can be a service's: no device of the host has it. kConflict.
  virtual Status check_service_address(const std::string& address) = 0;
  // Replaces the firewall in one transaction by what these environments (all that hold an address) are entitled to;
  // the published ports of those that are alive are open, and the services lead to the replicas they name, and
  // between zones and out of them passes what the policy says. The host
  // answers to the services' addresses. Clients of a replica that is no longer alive are let go. Does nothing when it
  // would change nothing.
  virtual Status apply(const EnvironmentViews& environments, const std::vector<ServiceState>& services,
                       const NetPolicy& policy) = 0;
  // Removes ports of environments that are not in `live` (ids), as a killed daemon may have left them.
  virtual Status remove_stale(const std::set<std::string>& live) = 0;
  // Takes the firewall and the bridges of our making away again: for a daemon that ends and keeps no environment.
  virtual Status close() = 0;
};

}  // namespace skerry
