// CgroupLayout: which control group hierarchies this host has, where they are mounted, and where we stand in each.
//
// Source: cgroups(7). Every controller is resolved by itself: on a hybrid host each v1 controller has its own
// hierarchy, our path may differ from one to the next, and the unified (v2) hierarchy exists beside them, often without
// controllers.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skerry::oci {

struct CgroupHierarchy {
  std::vector<std::string> controllers;  // v1: "cpu", "cpuacct", … or "name=systemd"; empty for the unified one
  std::string mount_point;               // "/sys/fs/cgroup/memory"
  std::string own_path;                  // ours below the mount point: "/" or "/user.slice"
};

struct CgroupLayout {
  std::optional<CgroupHierarchy> unified;
  std::vector<CgroupHierarchy> v1;

  // Everything is on the unified hierarchy.
  [[nodiscard]] bool is_pure_v2() const { return unified.has_value() && v1.empty(); }
  [[nodiscard]] const CgroupHierarchy* find_v1(std::string_view controller) const;
};

// From the texts of /proc/self/mountinfo and /proc/self/cgroup (proc(5)).
CgroupLayout parse_cgroup_layout(std::string_view mountinfo, std::string_view self_cgroup);
// Of this process.
Result<CgroupLayout> read_cgroup_layout();

}  // namespace skerry::oci
