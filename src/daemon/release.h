// Release: gives back what a daemon that keeps no environment has on the host besides its state directory.
#pragma once

#include "daemon/options.h"

namespace skerry {

// Removes the (empty) parent cgroups in every hierarchy and what stands in the run directory. Best effort: what another
// process still uses stays, and is logged.
void release_run_state(const DaemonOptions& options);

}  // namespace skerry
