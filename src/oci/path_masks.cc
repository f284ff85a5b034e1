#include "oci/path_masks.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "base/text.h"
#include "oci/mounts.h"
#include "oci/null_device.h"
#include "oci/safe_path.h"

namespace skerry::oci {
namespace {

// The path opened, nullopt-like invalid Fd when it is not there.
Result<Fd> open_existing(int root_fd, const std::string& path) {
  auto opened = open_in_root(root_fd, path);
  if (!opened && (opened.error().sys_errno == ENOENT || opened.error().sys_errno == ENOTDIR)) return Fd();
  return opened;
}

Result<Fd> empty_directory() {
  MountOptions options;
  options.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  options.fs_options = {{"mode", "555"}, {"nr_inodes", "2"}};
  return make_file_system("tmpfs", "tmpfs", options);
}

}  // namespace

Status mask_paths(int root_fd, const std::vector<std::string>& paths) {
  if (paths.empty()) return {};
  const Fd null = TRY(mount_host_null());
  Fd directory;
  bool directory_used = false;
  for (const auto& path : paths) {
    const Fd target = TRY_IN("/linux/maskedPaths", open_existing(root_fd, path));
    if (!target) continue;
    const auto info = TRY(sys::fstat(target.get()));
    Fd cover;
    if (!S_ISDIR(info.st_mode)) {
      // A copy of a read-only mount is read-only.
      cover = TRY_IN(path, sys::clone_mount(null.get(), "", sys::Recursion::kNone));
    } else if (directory_used) {
      cover = TRY_IN(path, sys::clone_mount(directory.get(), "", sys::Recursion::kNone));
    } else {
      // The first directory gets the tmpfs itself, the others copies of that mount.
      directory = TRY_IN(path, empty_directory());
      directory_used = true;
      TRY_IN(path, sys::attach_mount(directory.get(), target.get()));
      continue;
    }
    TRY_IN(path, sys::attach_mount(cover.get(), target.get()));
  }
  return {};
}

Status protect_paths(int root_fd, const std::vector<std::string>& paths) {
  struct mount_attr read_only{};
  read_only.attr_set = MOUNT_ATTR_RDONLY;
  for (const auto& path : paths) {
    const Fd target = TRY_IN("/linux/readonlyPaths", open_existing(root_fd, path));
    if (!target) continue;
    const Fd tree = TRY_IN(path, sys::clone_mount(target.get(), "", sys::Recursion::kSubmounts));
    TRY_IN(path, sys::mount_setattr(tree.get(), read_only, sys::Recursion::kSubmounts));
    TRY_IN(path, sys::attach_mount(tree.get(), target.get()));
  }
  return {};
}

}  // namespace skerry::oci
