// The mount of type "cgroup": what a container sees of its control groups.
//
// v2: one file system. Hybrid and v1: a tmpfs with one directory a hierarchy, as on the host. Without a cgroup
// namespace the container gets its own group as a bind mount, never the host's tree. In a user namespace without a
// cgroup namespace it is read-only (CVE-2023-25809).
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "base/text.h"
#include "oci/mounts.h"
#include "oci/outer_user.h"
#include "oci/safe_path.h"

namespace skerry::oci {
namespace {

MountOptions only_attributes(const MountOptions& options) {
  MountOptions out;
  out.set = options.set;
  out.clear = options.clear;
  return out;
}

Result<Fd> own_group(const std::string& directory, const MountOptions& options, bool user_namespace) {
  Mount bind;
  bind.source = directory;
  MountOptions attributes = only_attributes(options);
  attributes.recursive_bind = true;
  if (user_namespace) attributes.set |= MOUNT_ATTR_RDONLY;
  return make_bind(bind, attributes);
}

const std::string* directory_of(const CgroupRecord& record, const CgroupHierarchy& hierarchy) {
  for (const auto& directory : record.directories) {
    if (directory.controllers == hierarchy.controllers) return &directory.path;
  }
  return nullptr;
}

Result<Fd> hierarchy_mount(const CgroupHierarchy& hierarchy, const MountOptions& options, const MountContext& context) {
  const auto* directory = directory_of(*context.cgroup, hierarchy);
  // What a mount of v1 in a new cgroup namespace shows, without its cost: the kernel waits for all groups that are
  // ending (cgroup_lock_and_drain_offline), and there is such a mount for each hierarchy.
  const bool bind = context.new_cgroup_namespace && !context.user_namespace && !hierarchy.controllers.empty();
  if (bind && directory != nullptr) return own_group(*directory, options, false);
  if (context.cgroup_namespace) {
    MountOptions fs = only_attributes(options);
    if (hierarchy.controllers.empty()) return make_file_system("cgroup2", "cgroup", fs);
    for (const auto& controller : hierarchy.controllers) {
      if (controller.starts_with("name=")) {
        fs.fs_options.push_back({"none", std::nullopt});
        fs.fs_options.push_back({"name", controller.substr(5)});
      } else {
        fs.fs_options.push_back({controller, std::nullopt});
      }
    }
    auto made = make_file_system("cgroup", "cgroup", fs);
    if (made || directory == nullptr) return made;
  }
  if (directory == nullptr) return fail(ErrorCode::kUnsupported, "the container has no cgroup to show");
  return own_group(*directory, options, context.user_namespace);
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// "cpu" and "cpuacct" lead to "cpu,cpuacct" when they share a hierarchy, as programs expect.
Status add_links(int tmpfs, const CgroupHierarchy& hierarchy) {
  if (hierarchy.controllers.size() < 2) return {};
  const std::string name = base_name(hierarchy.mount_point);
  for (const auto& controller : hierarchy.controllers) {
    if (controller == name || controller.find('=') != std::string::npos) continue;
    if (::symlinkat(name.c_str(), tmpfs, controller.c_str()) < 0 && errno != EEXIST) {
      return fail_errno("symlink " + controller);
    }
  }
  return {};
}

Status attach_below(int tmpfs, const CgroupHierarchy& hierarchy, const MountOptions& options,
                    const MountContext& context) {
  const std::string name = base_name(hierarchy.mount_point);
  if (::mkdirat(tmpfs, name.c_str(), 0755) < 0 && errno != EEXIST) return fail_errno("mkdir " + name);
  auto made = hierarchy_mount(hierarchy, options, context);
  // An ordinary user's container may have no group in this hierarchy: there is nothing to show then.
  const bool out_of_reach = context.user_namespace || is_ordinary_user();
  if (!made && out_of_reach && directory_of(*context.cgroup, hierarchy) == nullptr) return {};
  const Fd tree = TRY(std::move(made));
  const Fd target = TRY(sys::openat(tmpfs, name, O_PATH | O_NOFOLLOW | O_DIRECTORY));
  TRY(sys::attach_mount(tree.get(), target.get()));
  return add_links(tmpfs, hierarchy);
}

Status make_hybrid(int target, const MountOptions& options, const MountContext& context) {
  MountOptions fs;
  fs.set = options.set & ~static_cast<std::uint64_t>(MOUNT_ATTR_RDONLY);
  fs.fs_options = {{"mode", "755"}};
  const Fd tmpfs = TRY(make_file_system("tmpfs", "tmpfs", fs));
  TRY(sys::attach_mount(tmpfs.get(), target));
  for (const auto& hierarchy : context.layout->v1) {
    TRY_IN(hierarchy.mount_point, attach_below(tmpfs.get(), hierarchy, options, context));
  }
  if (context.layout->unified) TRY(attach_below(tmpfs.get(), *context.layout->unified, options, context));
  if ((options.set & MOUNT_ATTR_RDONLY) == 0) return {};
  struct mount_attr read_only{};
  read_only.attr_set = MOUNT_ATTR_RDONLY;
  return sys::mount_setattr(tmpfs.get(), read_only, sys::Recursion::kNone);
}

}  // namespace

Status make_cgroup_mount(const Mount& mount, const MountOptions& options, const MountContext& context) {
  const Fd target = TRY(make_in_root(context.root_fd, mount.destination, MissingTarget::kDirectory, Symlinks::kRefuse));
  if (context.layout->is_pure_v2() || (mount.type == "cgroup2" && context.layout->unified)) {
    const Fd tree = TRY(hierarchy_mount(*context.layout->unified, options, context));
    return sys::attach_mount(tree.get(), target.get());
  }
  return make_hybrid(target.get(), options, context);
}

}  // namespace skerry::oci
