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

// One mount over many places: the first gets the mount itself, the others copies of it. Before Linux 6.15 a mount that
// is attached nowhere cannot be copied.
class Cover {
 public:
  using Make = Result<Fd> (*)();
  explicit Cover(Make make) : make_(make) {}

  Status put_over(int target) {
    if (!mount_) {
      mount_ = TRY(make_());
      return sys::attach_mount(mount_.get(), target);
    }
    // A copy of a read-only mount is read-only.
    const Fd copy = TRY(sys::clone_mount(mount_.get(), "", sys::Recursion::kNone));
    return sys::attach_mount(copy.get(), target);
  }

 private:
  Make make_;
  Fd mount_;
};

}  // namespace

Status mask_paths(int root_fd, const std::vector<std::string>& paths) {
  Cover file(mount_host_null);
  Cover directory(empty_directory);
  for (const auto& path : paths) {
    const Fd target = TRY_IN("/linux/maskedPaths", open_existing(root_fd, path));
    if (!target) continue;
    const auto info = TRY(sys::fstat(target.get()));
    TRY_IN(path, (S_ISDIR(info.st_mode) ? directory : file).put_over(target.get()));
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
