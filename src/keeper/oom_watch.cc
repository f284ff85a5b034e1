#include "keeper/oom_watch.h"

#include <algorithm>
#include <vector>

#include "base/file_io.h"
#include "base/text.h"

namespace skerry::keeper {
namespace {

bool has_memory(const std::vector<std::string_view>& names) {
  return std::ranges::find(names, std::string_view("memory")) != names.end();
}

struct Membership {
  std::string path;
  bool unified = false;
};

// Lines "ID:CONTROLLERS:PATH" (cgroups(7)). The v1 memory hierarchy, where there is one, else the unified one.
std::optional<Membership> memory_cgroup(std::string_view proc_cgroup) {
  std::optional<Membership> unified;
  for (const auto line : split(proc_cgroup, '\n')) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    const auto controllers = line.substr(first + 1, second - first - 1);
    const auto path = line.substr(second + 1);
    if (controllers.empty()) unified = Membership{std::string(path), true};
    if (has_memory(split(controllers, ','))) {
      return Membership{std::string(path), false};
    }
  }
  return unified;
}

// Whether a mountinfo line (proc(5)) is the mount of that hierarchy; its mount point then.
std::optional<std::string> mount_point(std::string_view line, bool unified) {
  const auto separator = line.find(" - ");
  if (separator == std::string_view::npos) return std::nullopt;
  const auto fields = split(line.substr(0, separator), ' ');
  const auto behind = split(line.substr(separator + 3), ' ');
  if (fields.size() < 5 || behind.size() < 3 || fields[3] != "/") return std::nullopt;
  const bool matches = unified ? behind[0] == "cgroup2" : behind[0] == "cgroup" && has_memory(split(behind[2], ','));
  if (!matches) return std::nullopt;
  return std::string(fields[4]);
}

std::optional<std::uint64_t> kill_count(const std::string& path) {
  if (path.empty()) return std::nullopt;
  const auto text = read_file(path, 4096);
  if (!text) return std::nullopt;
  for (const auto line : split(*text, '\n')) {
    if (!line.starts_with("oom_kill ")) continue;
    const auto count = parse_int<std::uint64_t>(line.substr(9), "oom_kill");
    if (count) return *count;
  }
  return std::nullopt;
}

}  // namespace

std::string oom_events_path(std::string_view proc_cgroup, std::string_view mountinfo) {
  const auto group = memory_cgroup(proc_cgroup);
  if (!group) return {};
  for (const auto line : split(mountinfo, '\n')) {
    const auto mount = mount_point(line, group->unified);
    if (mount) return cat(*mount, group->path, group->unified ? "/memory.events" : "/memory.oom_control");
  }
  return {};
}

OomWatch::OomWatch(pid_t pid) {
  const auto groups = read_file(cat("/proc/", pid, "/cgroup"));
  const auto mounts = read_file("/proc/self/mountinfo");
  if (groups && mounts) path_ = oom_events_path(*groups, *mounts);
  before_ = kill_count(path_).value_or(0);
}

std::optional<bool> OomWatch::struck() const {
  const auto now = kill_count(path_);
  if (!now) return std::nullopt;
  return *now > before_;
}

}  // namespace skerry::keeper
