// HostNetwork: the controller's Network on the real kernel, over network/.
#pragma once

#include <memory>
#include <string>

#include "control/network.h"

namespace skerry {

// `table`: the nftables table that is ours alone; one for each daemon on a host. `run_dir` remembers, over restarts of
// the daemon, which bridges are of our making, and which of their addresses are.
Result<std::unique_ptr<Network>> make_host_network(std::string table, const std::string& run_dir);

}  // namespace skerry
