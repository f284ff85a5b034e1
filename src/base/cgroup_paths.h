// Where the kernel keeps a process's control groups, on hosts with v2, v1 and both (cgroups(7)).
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace skerry {

// Controller → its directory, as "memory" → "/sys/fs/cgroup/memory/skerry/x". The unified (v2) hierarchy stands under
// the empty name; a v1 hierarchy under each controller it has ("cpu" and "cpuacct" may lead to one place) and under
// "name=…" when it has none.
using CgroupDirectories = std::map<std::string, std::string>;

// From the texts of /proc/PID/cgroup and /proc/self/mountinfo. Hierarchies that are not mounted are left out.
CgroupDirectories cgroup_directories(std::string_view proc_cgroup, std::string_view mountinfo);
// Of a process; kNotFound when it is gone.
Result<CgroupDirectories> cgroup_directories_of(pid_t pid);

// The directory where this controller's files are: its v1 hierarchy, else the unified one; empty when neither is
// there. `unified` tells which of the two.
struct ControllerDirectory {
  std::string path;
  bool unified = false;
};
ControllerDirectory find_controller(const CgroupDirectories& directories, const std::string& controller);

}  // namespace skerry
