#include "oci/cgroup.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "oci/outer_user.h"

namespace skerry::oci {
namespace {

// "a//./b/" → "/a/b"; ".." is refused: a group outside of where cgroupsPath points is nobody's intention.
Result<std::string> clean_path(std::string_view path) {
  std::string out;
  for (const auto part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") return fail(ErrorCode::kInvalidArgument, cat("/linux/cgroupsPath: \"..\" in ", path));
    out += cat("/", part);
  }
  return out.empty() ? "/" : out;
}

std::string below(const CgroupHierarchy& hierarchy, const std::string& cgroups_path, const std::string& clean) {
  const bool relative = !cgroups_path.empty() && cgroups_path.front() != '/';
  const std::string base = relative && hierarchy.own_path != "/" ? hierarchy.own_path : "";
  return hierarchy.mount_point + base + clean;
}

Status make_directory(const std::string& mount_point, const std::string& directory) {
  auto made = sys::mkdir(directory, 0755);
  if (made || made.error().sys_errno == EEXIST) return {};
  if (made.error().sys_errno != ENOENT) return made;
  const auto slash = directory.rfind('/');
  if (slash == std::string::npos || slash <= mount_point.size()) return made;
  TRY(make_directory(mount_point, directory.substr(0, slash)));
  return make_directory(mount_point, directory);
}

Status make_one(const CgroupLayout& layout, const CgroupRecord::Directory& directory, const Resources& resources) {
  const auto* hierarchy = is_unified(directory) ? &*layout.unified : layout.find_v1(directory.controllers.front());
  TRY(make_directory(hierarchy->mount_point, directory.path));
  if (std::ranges::find(directory.controllers, "cpuset") != directory.controllers.end()) {
    TRY(prepare_v1_cpuset(hierarchy->mount_point, directory.path));
  }
  if (!layout.is_pure_v2()) return {};
  return enable_v2_controllers(hierarchy->mount_point, directory.path, resources);
}

Result<CgroupRecord> plan_scope(const CgroupLayout& layout, const std::string& cgroups_path, const std::string& id) {
  if (!layout.is_pure_v2()) {
    return fail(ErrorCode::kUnsupported, "--systemd-cgroup: needs a host with cgroup v2 alone",
                "use --cgroup-manager cgroupfs");
  }
  const ScopeName name = TRY(parse_scope_name(cgroups_path, id));
  CgroupRecord record;
  record.manager = "systemd";
  record.slice = name.slice;
  record.scope = name.unit;
  record.directories.push_back({{}, layout.unified->mount_point + TRY(scope_directory(name))});
  return record;
}

// systemd makes the directory and sets what it has properties for; the rest is written by the caller.
Status make_scope(const CgroupRecord& record, const Resources& resources, Placeholder& placeholder) {
  TRY(placeholder.start());
  return start_scope({record.slice, record.scope}, cat("skerry-oci container ", record.scope), resources, placeholder);
}

// The place of a limit that is asked, "" when none is. Device rules do not count: what a user cannot have a group for,
// it cannot make device nodes for either.
std::string first_limit(const Resources& resources) {
  if (resources.memory) return "memory";
  if (resources.cpu) return "cpu";
  if (resources.pids_limit) return "pids/limit";
  if (resources.block_io) return "blockIO";
  if (!resources.hugepage_limits.empty()) return "hugepageLimits";
  return resources.unified.empty() ? "" : "unified";
}

bool is_out_of_reach(const Error& error) {
  return is_ordinary_user() && (error.sys_errno == EACCES || error.sys_errno == EPERM || error.sys_errno == EROFS);
}

Status write_limits(const CgroupRecord& record, const Resources& resources) {
  const bool has_v1 = std::ranges::any_of(record.directories, [](const auto& entry) { return !is_unified(entry); });
  if (has_v1) return set_v1_limits(record, resources);
  if (record.directories.empty()) {
    const std::string asked = first_limit(resources);
    if (asked.empty()) return {};
    return fail(ErrorCode::kUnsupported,
                cat("/linux/resources/", asked, ": limits need cgroups, which are disabled or out of reach here"));
  }
  return set_v2_limits(record.directories.front().path, resources);
}

}  // namespace

const CgroupRecord::Directory* find_directory(const CgroupRecord& record, std::string_view controller) {
  const CgroupRecord::Directory* unified = nullptr;
  for (const auto& directory : record.directories) {
    if (is_unified(directory)) unified = &directory;
    if (std::ranges::find(directory.controllers, controller) != directory.controllers.end()) return &directory;
  }
  return unified;
}

Result<CgroupRecord> plan_cgroup(const CgroupLayout& layout, CgroupManager manager, const std::string& cgroups_path,
                                 const std::string& id) {
  CgroupRecord record;
  if (manager == CgroupManager::kSystemd) return plan_scope(layout, cgroups_path, id);
  record.manager = manager == CgroupManager::kDisabled ? "disabled" : "cgroupfs";
  if (manager == CgroupManager::kDisabled) return record;
  const std::string clean = TRY(clean_path(cgroups_path.empty() ? cat("/skerry/", id) : cgroups_path));
  if (clean == "/") return fail(ErrorCode::kInvalidArgument, "/linux/cgroupsPath: the root group is not a container's");
  for (const auto& hierarchy : layout.v1) {
    record.directories.push_back({hierarchy.controllers, below(hierarchy, cgroups_path, clean)});
  }
  if (layout.unified) record.directories.push_back({{}, below(*layout.unified, cgroups_path, clean)});
  return record;
}

Status make_cgroup(const CgroupLayout& layout, CgroupRecord& record, const Resources& resources,
                   Placeholder& placeholder) {
  if (!record.scope.empty()) TRY(make_scope(record, resources, placeholder));
  std::vector<CgroupRecord::Directory> made;
  for (const auto& directory : record.directories) {
    const auto done = make_one(layout, directory, resources);
    if (done) {
      made.push_back(directory);
    } else if (!is_out_of_reach(done.error())) {
      return fail(Error(done.error()).in("make cgroup"));
    }
  }
  record.directories = std::move(made);
  return write_limits(record, resources);
}

Status update_cgroup(const CgroupRecord& record, const Resources& resources) {
  if (!record.scope.empty()) TRY(update_scope(record.scope, resources));
  return write_limits(record, resources);
}

Result<CgroupDoor> open_cgroup(const CgroupRecord& record) {
  CgroupDoor door;
  for (const auto& directory : record.directories) {
    if (is_unified(directory)) {
      door.unified = TRY(sys::open(directory.path, O_RDONLY | O_DIRECTORY));
    } else {
      door.v1_tasks.push_back(TRY(sys::open(directory.path + "/tasks", O_WRONLY)));
    }
  }
  return door;
}

Status move_into_cgroup(const CgroupRecord& record, pid_t pid) {
  for (const auto& directory : record.directories) {
    TRY_IN("join cgroup", write_existing(directory.path + "/cgroup.procs", cat(pid)));
  }
  return {};
}

Status enter_v1(const CgroupDoor& door) {
  for (const auto& tasks : door.v1_tasks) TRY_IN("join cgroup", sys::write_all(tasks.get(), "0"));
  return {};
}

}  // namespace skerry::oci
