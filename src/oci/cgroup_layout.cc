#include "oci/cgroup_layout.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>
#include <map>

#include "base/cgroup_paths.h"
#include "base/file_io.h"
#include "base/mount_table.h"
#include "base/text.h"

namespace skerry::oci {
namespace {

constexpr const char* kStandardMount = "/sys/fs/cgroup";

struct CgroupMount {
  std::string root;
  std::string mount_point;
  bool unified = false;
  std::vector<std::string_view> options;
};

// "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:9 - cgroup cgroup rw,cpu": fields 4, 5, and three behind " - ".
std::optional<CgroupMount> parse_mount(std::string_view line) {
  const auto dash = line.find(" - ");
  if (dash == std::string_view::npos) return std::nullopt;
  const auto left = split(line.substr(0, dash), ' ');
  const auto right = split(line.substr(dash + 3), ' ');
  if (left.size() < 6 || right.size() < 3) return std::nullopt;
  if (right[0] != "cgroup" && right[0] != "cgroup2") return std::nullopt;
  return CgroupMount{unescape_mount_text(left[3]), unescape_mount_text(left[4]), right[0] == "cgroup2",
                     split(right[2], ',')};
}

// /proc/self/cgroup: "4:memory:/path", "0::/path" for the unified one. Keyed by the middle field.
std::map<std::string, std::string> parse_own_paths(std::string_view text) {
  std::map<std::string, std::string> out;
  for (const auto line : split(text, '\n')) {
    const auto first = line.find(':');
    const auto second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    out.emplace(line.substr(first + 1, second - first - 1), line.substr(second + 1));
  }
  return out;
}

// The part of `path` below the mount's root; a path outside of it (a bind of a subtree) counts as the root itself.
std::string below_root(const std::string& path, const std::string& root) {
  if (root == "/") return path;
  if (path == root) return "/";
  if (path.starts_with(root + "/")) return path.substr(root.size());
  return "/";
}

// Whether every controller of the /proc/self/cgroup key is an option of the mount.
bool is_mount_of(const CgroupMount& mount, std::string_view key) {
  return std::ranges::all_of(split(key, ','), [&](std::string_view controller) {
    return std::ranges::find(mount.options, controller) != mount.options.end();
  });
}

void add_hierarchy(CgroupLayout& layout, const std::vector<CgroupMount>& mounts, const std::string& key,
                   const std::string& path) {
  for (const auto& mount : mounts) {
    if (key.empty() != mount.unified || (!mount.unified && !is_mount_of(mount, key))) continue;
    CgroupHierarchy hierarchy{{}, mount.mount_point, below_root(path, mount.root)};
    if (mount.unified) {
      layout.unified = std::move(hierarchy);
    } else {
      for (const auto controller : split(key, ',')) hierarchy.controllers.emplace_back(controller);
      layout.v1.push_back(std::move(hierarchy));
    }
    return;
  }
}

// On a pure v2 host the place is known: no need to read the mount table, which grows with every container.
std::optional<CgroupLayout> standard_v2(std::string_view self_cgroup) {
  struct statfs info{};
  if (::statfs(kStandardMount, &info) < 0 || info.f_type != CGROUP2_SUPER_MAGIC) return std::nullopt;
  const auto paths = parse_own_paths(self_cgroup);
  const auto own = paths.find("");
  if (own == paths.end() || own->second.starts_with("/..")) return std::nullopt;
  CgroupLayout layout;
  layout.unified = CgroupHierarchy{{}, kStandardMount, own->second};
  return layout;
}

}  // namespace

const CgroupHierarchy* CgroupLayout::find_v1(std::string_view controller) const {
  for (const auto& hierarchy : v1) {
    if (std::ranges::find(hierarchy.controllers, controller) != hierarchy.controllers.end()) return &hierarchy;
  }
  return nullptr;
}

CgroupLayout parse_cgroup_layout(std::string_view mountinfo, std::string_view self_cgroup) {
  std::vector<CgroupMount> mounts;
  for (const auto line : split(mountinfo, '\n')) {
    if (auto mount = parse_mount(line)) mounts.push_back(std::move(*mount));
  }
  CgroupLayout layout;
  for (const auto& [key, path] : parse_own_paths(self_cgroup)) add_hierarchy(layout, mounts, key, path);
  return layout;
}

Result<CgroupLayout> read_cgroup_layout() {
  const std::string self_cgroup = TRY(read_file("/proc/self/cgroup"));
  if (auto layout = standard_v2(self_cgroup)) return std::move(*layout);
  return parse_cgroup_layout(TRY(read_cgroup_mounts(self_cgroup)), self_cgroup);
}

}  // namespace skerry::oci
