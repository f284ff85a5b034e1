#include "oci/rootfs.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "base/sys_namespace.h"
#include "base/text.h"

namespace skerry::oci {
namespace {

Status set_propagation(int mount_fd, std::uint64_t type, sys::Recursion recursion) {
  struct mount_attr attributes{};
  attributes.propagation = type;
  return sys::mount_setattr(mount_fd, attributes, recursion);
}

bool is_recursive(const std::string& word) { return word.empty() || word.front() == 'r'; }

Status enter(int fd) {
  if (::fchdir(fd) < 0) return fail_errno("fchdir");
  return {};
}

// pivot_root(2) "pivot_root('.', '.')": the old root ends up on top of the new one, at ".", and is detached from there.
Status pivot(int root_fd) {
  TRY(enter(root_fd));
  TRY(sys::pivot_root_here());
  // Nothing of the unmounting may travel back to the host: the tree was cut off at least to "slave" before.
  return sys::umount(".", MNT_DETACH);
}

Status move_over(int root_fd) {
  TRY(enter(root_fd));
  const Fd old_root = TRY(sys::open("/", O_PATH | O_DIRECTORY));
  TRY(sys::attach_mount(root_fd, old_root.get()));
  if (::chroot(".") < 0) return fail_errno("chroot");
  return {};
}

}  // namespace

std::uint64_t propagation_type(const std::string& word) {
  if (word.ends_with("unbindable")) return MS_UNBINDABLE;
  if (word.ends_with("private")) return MS_PRIVATE;
  if (word.ends_with("shared")) return MS_SHARED;
  return MS_SLAVE;
}

Result<Fd> prepare_rootfs(const std::string& path, int given, const std::string& propagation) {
  const Fd old_root = TRY(sys::open("/", O_PATH | O_DIRECTORY));
  // "shared" is given to the new root at the end; until then nothing may leak out. unbindable could not be bound below.
  const auto asked = propagation_type(propagation);
  const std::uint64_t during = asked == MS_PRIVATE ? MS_PRIVATE : MS_SLAVE;
  TRY_IN("cut mount propagation", set_propagation(old_root.get(), during, sys::Recursion::kSubmounts));
  const Fd place = TRY_IN("/root/path", sys::open(path, O_PATH | O_DIRECTORY));
  Fd tree = given >= 0 ? TRY(sys::dup(given))
                       : TRY_IN("/root/path", sys::clone_mount(place.get(), "", sys::Recursion::kSubmounts));
  // pivot_root refuses a root whose parent mount is shared; a copy of a slave mount is not.
  TRY_IN("attach the root", sys::attach_mount(tree.get(), place.get()));
  return tree;
}

Status switch_root(int root_fd, RootSwitch how, const std::string& propagation) {
  TRY_IN("switch the root", how == RootSwitch::kPivot ? pivot(root_fd) : move_over(root_fd));
  if (::chdir("/") < 0) return fail_errno("chdir /");
  const auto asked = propagation_type(propagation);
  if (asked == MS_SHARED || asked == MS_UNBINDABLE) {
    const auto recursion = is_recursive(propagation) ? sys::Recursion::kSubmounts : sys::Recursion::kNone;
    return annotate(set_propagation(root_fd, asked, recursion), "/linux/rootfsPropagation");
  }
  return {};
}

Status make_root_readonly(int root_fd) {
  struct mount_attr read_only{};
  read_only.attr_set = MOUNT_ATTR_RDONLY;
  return annotate(sys::mount_setattr(root_fd, read_only, sys::Recursion::kNone), "/root/readonly");
}

}  // namespace skerry::oci
