// Release: gives back what a daemon that keeps no environment has on the host besides its state directory.
#pragma once

#include <string>

#include "daemon/options.h"

namespace skerry {

// Removes the (empty) parent cgroups in every hierarchy and what stands in the run directory. Best effort: what another
// process still uses stays, and is logged.
void release_run_state(const DaemonOptions& options);

// The lines of /proc/PID/cgroup with every path replaced by `path`: where that cgroup would be.
std::string with_cgroup_path(std::string_view proc_cgroup, std::string_view path);

}  // namespace skerry
