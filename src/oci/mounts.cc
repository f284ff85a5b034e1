#include "oci/mounts.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "base/text.h"
#include "oci/copy_tree.h"
#include "oci/idmapped_mount.h"
#include "oci/safe_path.h"

namespace skerry::oci {
namespace {

bool is_bind(const Mount& mount, const MountOptions& options) { return options.bind || mount.type == "bind"; }

Status set_attributes(int tree, std::uint64_t set, std::uint64_t clear, sys::Recursion recursion) {
  if (set == 0 && clear == 0) return {};
  struct mount_attr attributes{};
  attributes.attr_set = set;
  attributes.attr_clr = clear;
  return sys::mount_setattr(tree, attributes, recursion);
}

Status set_propagation(int tree, std::uint64_t type, sys::Recursion recursion) {
  struct mount_attr attributes{};
  attributes.propagation = type;
  return sys::mount_setattr(tree, attributes, recursion);
}

// Without a word about it a bind mount is private: what the container mounts below it never shows on the host.
Status set_bind_propagation(int tree, const MountOptions& options) {
  if (options.propagation == 0) return set_propagation(tree, MS_PRIVATE, sys::Recursion::kSubmounts);
  return set_propagation(tree, options.propagation,
                         options.recursive_propagation ? sys::Recursion::kSubmounts : sys::Recursion::kNone);
}

Status configure(int context, const std::string& source, const MountOptions& options) {
  if (!source.empty()) TRY(sys::fsconfig_string(context, "source", source));
  for (const auto& option : options.fs_options) {
    if (option.key == "silent") continue;  // asks for less kernel log; nothing a context knows
    TRY(option.value ? sys::fsconfig_string(context, option.key, *option.value)
                     : sys::fsconfig_flag(context, option.key));
  }
  return sys::fsconfig_create(context);
}

// A new sysfs needs a network namespace of our own user namespace. Where that is not so, the host's one, read-only.
Result<Fd> sysfs_of_host() {
  Fd tree = TRY(sys::clone_mount(AT_FDCWD, "/sys", sys::Recursion::kSubmounts));
  TRY(set_attributes(tree.get(), MOUNT_ATTR_RDONLY, 0, sys::Recursion::kSubmounts));
  return tree;
}

Result<Fd> detached_mount(const Mount& mount, const MountOptions& options) {
  if (is_bind(mount, options)) return make_bind(mount, options);
  auto made = make_file_system(mount.type, mount.source, options);
  if (!made && mount.type == "sysfs" && made.error().sys_errno == EPERM) return sysfs_of_host();
  return made;
}

// /proc and /sys are written to later on the container's behalf: a link there could send those writes elsewhere.
Symlinks symlink_policy(const Mount& mount) {
  const bool kernel = mount.type == "proc" || mount.type == "sysfs" || mount.type == "cgroup";
  return kernel ? Symlinks::kRefuse : Symlinks::kInsideRoot;
}

// A file system's root is a directory; a bind mount's is what its source is.
Result<Fd> open_target(const MountContext& context, const Mount& mount, int tree, bool bind) {
  const bool directory = !bind || S_ISDIR(TRY(sys::fstat(tree)).st_mode);
  const auto kind = directory ? MissingTarget::kDirectory : MissingTarget::kFile;
  Fd target = TRY(make_in_root(context.root_fd, mount.destination, kind, symlink_policy(mount)));
  const auto target_info = TRY(sys::fstat(target.get()));
  if (S_ISDIR(target_info.st_mode) != directory) {
    return fail(ErrorCode::kInvalidArgument,
                cat(mount.destination, ": cannot mount a ", directory ? "directory on a file" : "file on a directory"));
  }
  return target;
}

Status copy_up(int target, int tree) {
  const Fd from = TRY(sys::openat(target, ".", O_RDONLY | O_DIRECTORY));
  const Fd to = TRY(sys::openat(tree, ".", O_RDONLY | O_DIRECTORY));
  const auto info = TRY(sys::fstat(from.get()));
  if (::fchmod(to.get(), info.st_mode & 07777U) < 0) return fail_errno("chmod tmpfs");
  return annotate(copy_tree(from.get(), to.get()), "tmpcopyup");
}

Status make_mount(const Mount& mount, const PreparedMount* prepared, const MountContext& context) {
  MountOptions options = parse_mount_options(mount.options);
  if (mount.type == "cgroup" || mount.type == "cgroup2") return make_cgroup_mount(mount, options, context);
  if (clean_absolute(mount.destination) == "/") {
    return fail(ErrorCode::kInvalidArgument, "destination: the root itself cannot be a mount target");
  }
  const bool bind = is_bind(mount, options);
  if (!bind && !context.mount_label.empty()) options.fs_options.push_back({"context", context.mount_label});
  const bool copies = options.copy_up && mount.type == "tmpfs";
  const bool read_only = (options.set & MOUNT_ATTR_RDONLY) != 0;
  // What is copied up has to be written first.
  if (copies) options.set &= ~static_cast<std::uint64_t>(MOUNT_ATTR_RDONLY);

  Fd own;
  if (prepared == nullptr || !prepared->tree) own = TRY(detached_mount(mount, options));
  const int tree = own ? own.get() : prepared->tree.get();
  const Fd target = TRY(open_target(context, mount, tree, bind));
  if (copies) {
    TRY(copy_up(target.get(), tree));
    if (read_only) TRY(set_attributes(tree, MOUNT_ATTR_RDONLY, 0, sys::Recursion::kNone));
  }
  TRY(sys::attach_mount(tree, target.get()));
  if (bind || options.propagation == 0) return {};
  return set_propagation(tree, options.propagation, sys::Recursion::kNone);
}

}  // namespace

Result<Fd> make_bind(const Mount& mount, const MountOptions& options) {
  const auto recursion = options.recursive_bind ? sys::Recursion::kSubmounts : sys::Recursion::kNone;
  Fd tree = TRY_IN(cat("source ", mount.source), sys::clone_mount(AT_FDCWD, mount.source, recursion));
  TRY_IN("propagation", set_bind_propagation(tree.get(), options));
  TRY(set_attributes(tree.get(), options.set, options.clear, sys::Recursion::kNone));
  TRY(set_attributes(tree.get(), options.recursive_set, options.recursive_clear, sys::Recursion::kSubmounts));
  return tree;
}

Result<Fd> make_file_system(const std::string& type, const std::string& source, const MountOptions& options) {
  if (type.empty()) return fail(ErrorCode::kInvalidArgument, "type: is missing and no bind option is given");
  const Fd context = TRY(sys::fsopen(type));
  TRY(configure(context.get(), source, options));
  return sys::fsmount(context.get(), static_cast<unsigned>(options.set | options.recursive_set));
}

Result<std::vector<PreparedMount>> prepare_mounts(const Spec& spec, bool user_namespace) {
  std::vector<PreparedMount> out(spec.mounts.size());
  for (std::size_t i = 0; i < spec.mounts.size(); ++i) {
    const auto& mount = spec.mounts[i];
    const auto options = parse_mount_options(mount.options);
    const bool idmapped = options.idmap || !mount.uid_mappings.empty();
    if (!is_bind(mount, options) || (!user_namespace && !idmapped)) continue;
    const std::string place = cat("/mounts/", i);
    out[i].tree = TRY_IN(place, make_bind(mount, options));
    if (idmapped) TRY_IN(place, map_mount_ids(out[i].tree.get(), mount, options, spec.linux_part));
  }
  return out;
}

Status make_mounts(const std::vector<Mount>& mounts, const std::vector<PreparedMount>& prepared,
                   const MountContext& context) {
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    const auto* ready = i < prepared.size() ? &prepared[i] : nullptr;
    TRY_IN(cat("/mounts/", i, " (", mounts[i].destination, ")"), make_mount(mounts[i], ready, context));
  }
  return {};
}

}  // namespace skerry::oci
