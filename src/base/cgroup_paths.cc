#include "base/cgroup_paths.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <vector>

#include "base/file_io.h"
#include "base/mount_table.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry {
namespace {

struct CgroupMount {
  std::string root;   // which part of the hierarchy is mounted
  std::string point;  // where
  std::vector<std::string> options;
  bool unified = false;
};

std::optional<CgroupMount> parse_mount(std::string_view line) {
  const auto separator = line.find(" - ");
  if (separator == std::string_view::npos) return std::nullopt;
  const auto fields = split(line.substr(0, separator), ' ');
  const auto behind = split(line.substr(separator + 3), ' ');
  if (fields.size() < 5 || behind.size() < 3 || (behind[0] != "cgroup" && behind[0] != "cgroup2")) return std::nullopt;
  CgroupMount mount{unescape_mount_text(fields[3]), unescape_mount_text(fields[4]), {}, behind[0] == "cgroup2"};
  for (const auto option : split(behind[2], ',')) mount.options.emplace_back(option);
  return mount;
}

// Where `path` of the hierarchy is seen through `mount`; nullopt when it lies outside of what is mounted.
std::optional<std::string> seen_through(const CgroupMount& mount, std::string_view path) {
  if (mount.root != "/") {
    if (!path.starts_with(mount.root)) return std::nullopt;
    path.remove_prefix(mount.root.size());
    if (!path.empty() && path.front() != '/') return std::nullopt;
  }
  return path == "/" ? mount.point : cat(mount.point, path);
}

// What a mount is of: the names of /proc/PID/cgroup, of the unified hierarchy the empty one.
std::set<std::string_view> hierarchy_names(std::string_view proc_cgroup) {
  std::set<std::string_view> names;
  for (const auto line : split(proc_cgroup, '\n')) {
    const auto first = line.find(':');
    const auto second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    for (const auto name : split(line.substr(first + 1, second - first - 1), ',')) names.insert(name);
  }
  return names;
}

}  // namespace

Result<std::string> read_cgroup_mounts(std::string_view proc_cgroup, const std::string& mount_table) {
  auto missing = hierarchy_names(proc_cgroup);
  const Fd fd = TRY(sys::open(mount_table, O_RDONLY));
  std::array<char, 4096> chunk;
  std::string out;
  std::string rest;  // begins with a whole line, or is empty
  while (!missing.empty()) {
    const std::size_t got = TRY_IN(mount_table, sys::read(fd.get(), chunk.data(), chunk.size()));
    if (got == 0) break;
    rest.append(chunk.data(), got);
    for (auto end = rest.find('\n'); end != std::string::npos; end = rest.find('\n')) {
      const std::string line = rest.substr(0, end + 1);
      rest.erase(0, end + 1);
      const auto mount = parse_mount(std::string_view(line).substr(0, end));
      if (!mount) continue;
      out += line;
      // One of a part only may hide the mount that shows more.
      if (mount->root != "/") continue;
      if (mount->unified) missing.erase("");
      for (const auto& option : mount->options) missing.erase(option);
    }
  }
  return out;
}

CgroupDirectories cgroup_directories(std::string_view proc_cgroup, std::string_view mountinfo) {
  std::vector<CgroupMount> mounts;
  for (const auto line : split(mountinfo, '\n')) {
    if (auto mount = parse_mount(line)) mounts.push_back(std::move(*mount));
  }
  CgroupDirectories out;
  // Lines "ID:CONTROLLERS:PATH"; the path may hold further colons.
  for (const auto line : split(proc_cgroup, '\n')) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    const auto names = line.substr(first + 1, second - first - 1);
    for (const auto name : split(names, ',')) {
      for (const auto& mount : mounts) {
        const bool mine = name.empty()
                              ? mount.unified
                              : !mount.unified && std::ranges::find(mount.options, name) != mount.options.end();
        if (!mine) continue;
        if (auto path = seen_through(mount, line.substr(second + 1))) out.try_emplace(std::string(name), *path);
      }
    }
  }
  return out;
}

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

CgroupHierarchies CgroupHierarchies::read() {
  CgroupHierarchies out;
  out.proc_cgroup_ = read_file("/proc/self/cgroup").value_or("");
  out.mountinfo_ = read_cgroup_mounts(out.proc_cgroup_).value_or("");
  return out;
}

CgroupDirectories CgroupHierarchies::directories_of(std::string_view path) const {
  return cgroup_directories(with_cgroup_path(proc_cgroup_, path), mountinfo_);
}

std::string oom_count_file(const CgroupDirectories& directories) {
  const auto memory = find_controller(directories, "memory");
  if (memory.path.empty()) return {};
  return memory.path + (memory.unified ? "/memory.events" : "/memory.oom_control");
}

Result<CgroupDirectories> cgroup_directories_of(pid_t pid) {
  const std::string groups = TRY(read_file(cat("/proc/", pid, "/cgroup")));
  return cgroup_directories(groups, TRY(read_cgroup_mounts(groups)));
}

ControllerDirectory find_controller(const CgroupDirectories& directories, const std::string& controller) {
  if (const auto v1 = directories.find(controller); v1 != directories.end()) return {v1->second, false};
  if (const auto v2 = directories.find(""); v2 != directories.end()) return {v2->second, true};
  return {};
}

}  // namespace skerry
