// What `skerry setup` asks skerryd for: the default zone's bridge and its closed firewall with NAT, to stay when no
// daemon runs. A daemon adopts them; what it did not make itself it leaves.
#pragma once

#include "base/result.h"
#include "daemon/options.h"

namespace skerry {

// Safe to repeat.
Status set_up_network(const DaemonOptions& options);
// kConflict while something is on the bridge.
Status take_down_network(const DaemonOptions& options);

}  // namespace skerry
