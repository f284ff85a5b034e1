#include "daemon/release.h"

#include <set>

#include "base/cgroup_paths.h"
#include "base/log.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry {

namespace {

Status remove_parent_cgroups(const std::string& parent) {
  std::set<std::string> directories;
  for (const auto& [controller, path] : CgroupHierarchies::read().directories_of(cat("/", parent))) {
    directories.insert(path);
  }
  for (const auto& directory : directories) {
    if (sys::exists(directory)) TRY(sys::rmdir(directory));
  }
  return {};
}

}  // namespace

void release_run_state(const DaemonOptions& options) {
  if (auto removed = remove_parent_cgroups(options.cgroup_parent); !removed) {
    log::warning("a control group stays", {{"error", removed.error().message()}});
  }
  for (const char* name : {"oci", "environments", "lock"}) {
    if (auto removed = sys::remove_tree(cat(options.run_dir, "/", name)); !removed) {
      log::warning("part of the run directory stays", {{"error", removed.error().message()}});
    }
  }
}

}  // namespace skerry
