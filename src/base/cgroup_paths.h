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
// The lines of a mount table about control groups. Reads no further than until each hierarchy that `proc_cgroup` (the
// text of /proc/PID/cgroup) names has been seen as a whole: the table grows with every container, what each of its
// lines costs the kernel is not little, and control groups are mounted long before the first container.
Result<std::string> read_cgroup_mounts(std::string_view proc_cgroup,
                                       const std::string& mount_table = "/proc/self/mountinfo");
// /proc/PID/cgroup as it would be for a process in the group `path` of every hierarchy.
std::string with_cgroup_path(std::string_view proc_cgroup, std::string_view path);

// The hierarchies of this host as this process sees them, read once: they do not change while it lives, and the table
// of mounts, which they are read from, grows with every container.
class CgroupHierarchies {
 public:
  // Without any when /proc cannot be read.
  static CgroupHierarchies read();
  // Where a group with this path ("/skerry/x") is, or would be.
  [[nodiscard]] CgroupDirectories directories_of(std::string_view path) const;

 private:
  std::string proc_cgroup_;
  std::string mountinfo_;  // its lines about control groups
};

// The file whose line "oom_kill N" counts what the kernel killed for want of memory; empty: there is none.
std::string oom_count_file(const CgroupDirectories& directories);

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
