// What the kernel counts in a jail's control groups, and whether it is frozen there. Reads files only; v1 and v2.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/cgroup_paths.h"
#include "base/result.h"
#include "drivers/driver.h"

namespace skerry {

// CPU time, memory, pids and block I/O. What the host does not count stays unset.
UsageSample read_cgroup_usage(const CgroupDirectories& directories);
// Adds up every interface but loopback, from the text of /proc/PID/net/dev (proc(5)).
void add_network_usage(std::string_view proc_net_dev, UsageSample& sample);
// Of a VM's port, the host's side of which ends in `suffix` (network::port_name()): what went out there came in inside.
void add_port_usage(std::string_view proc_net_dev, std::string_view suffix, UsageSample& sample);
bool is_frozen(const CgroupDirectories& directories);

// The directories as lines "controller path", for a file in the run directory: a process's own groups are looked up
// once, before the workload could move it elsewhere.
std::string encode_cgroups(const CgroupDirectories& directories);
CgroupDirectories decode_cgroups(std::string_view text);

}  // namespace skerry
