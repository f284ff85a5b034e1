#include "daemon/release.h"

#include <set>

#include "base/cgroup_paths.h"
#include "base/file_io.h"
#include "base/log.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry {

std::string with_cgroup_path(std::string_view proc_cgroup, std::string_view path) {
  std::string out;
  for (const auto line : split(proc_cgroup, '\n')) {
    // "hierarchy:controllers:path" (cgroups(7)); a path may hold more colons.
    const auto first = line.find(':');
    const auto second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    out += cat(line.substr(0, second + 1), path, "\n");
  }
  return out;
}

namespace {

Status remove_parent_cgroups(const std::string& parent) {
  const std::string own = TRY(read_file("/proc/self/cgroup"));
  const std::string mounts = TRY(read_file("/proc/self/mountinfo"));
  std::set<std::string> directories;
  for (const auto& [controller, path] : cgroup_directories(with_cgroup_path(own, cat("/", parent)), mounts)) {
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
