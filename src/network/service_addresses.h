// ServiceAddresses: the /32 addresses of services on the zone's bridge, so that the host answers for them, to the
// environments (ARP), to others on its networks and to its own programs.
//
// Which of the bridge's addresses are ours stands in a file, written before the first is added, so that a daemon that
// was killed leaves none for ever, and nobody else's are taken away. Not thread-safe.
#pragma once

#include <set>
#include <string>

#include "base/result.h"
#include "core/net.h"

namespace skerry::network {

class ServiceAddresses {
 public:
  explicit ServiceAddresses(std::string file) : file_(std::move(file)) {}

  // Takes away those of ours that are not wanted. A bridge that is not there has none.
  Status drop_others(const std::string& bridge, const std::set<Ipv4>& wanted);
  // Adds those that are missing.
  Status hold(const std::string& bridge, const std::set<Ipv4>& wanted);

 private:
  Result<std::set<Ipv4>> recorded();
  Status record(const std::set<Ipv4>& addresses);

  std::string file_;
  std::set<Ipv4> held_;  // known to be there: added by this object
};

// kConflict when a device of the host has this address.
Status check_not_of_host(Ipv4 address);

}  // namespace skerry::network
