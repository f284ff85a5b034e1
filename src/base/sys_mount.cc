#include "base/sys_mount.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"

namespace skerry::sys {
namespace {

// What the kernel says about a failed fsconfig: lines such as "e tmpfs: Bad value for 'size'".
std::string context_log(int context) {
  char buffer[512];
  const auto got = ::read(context, buffer, sizeof buffer);
  if (got <= 0) return {};
  const auto line = trim(std::string_view(buffer, static_cast<std::size_t>(got)));
  return std::string(line.starts_with("e ") ? line.substr(2) : line);
}

Status fsconfig_failed(int context, std::string step) {
  auto error = Error::last(std::move(step));
  error.hint = context_log(context);
  return fail(std::move(error));
}

}  // namespace

Result<Fd> clone_mount(int dir_fd, const std::string& path, Recursion recursion, unsigned at_flags) {
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | at_flags;
  if (recursion == Recursion::kSubmounts) flags |= AT_RECURSIVE;
  if (path.empty()) flags |= AT_EMPTY_PATH;
  const int fd = ::open_tree(dir_fd, path.c_str(), flags);
  if (fd < 0) return fail_errno(cat("open_tree ", path.empty() ? "descriptor" : path));
  return Fd(fd);
}

Status attach_mount(int mount_fd, int target_fd) {
  if (::move_mount(mount_fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) {
    return fail_errno("move_mount");
  }
  return {};
}

Result<Fd> fsopen(const std::string& type) {
  const int fd = ::fsopen(type.c_str(), FSOPEN_CLOEXEC);
  if (fd < 0) return fail_errno(cat("fsopen ", type));
  return Fd(fd);
}

Status fsconfig_string(int context, const std::string& key, const std::string& value) {
  if (::fsconfig(context, FSCONFIG_SET_STRING, key.c_str(), value.c_str(), 0) < 0) {
    return fsconfig_failed(context, cat("mount option ", key, "=", value));
  }
  return {};
}

Status fsconfig_flag(int context, const std::string& key) {
  if (::fsconfig(context, FSCONFIG_SET_FLAG, key.c_str(), nullptr, 0) < 0) {
    return fsconfig_failed(context, cat("mount option ", key));
  }
  return {};
}

Status fsconfig_create(int context) {
  if (::fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0) {
    return fsconfig_failed(context, "create file system");
  }
  return {};
}

Result<Fd> fsmount(int context, unsigned attributes) {
  const int fd = ::fsmount(context, FSMOUNT_CLOEXEC, attributes);
  if (fd < 0) return fail_errno("fsmount");
  return Fd(fd);
}

Status mount_setattr(int mount_fd, const struct mount_attr& attributes, Recursion recursion) {
  unsigned flags = AT_EMPTY_PATH;
  if (recursion == Recursion::kSubmounts) flags |= AT_RECURSIVE;
  struct mount_attr copy = attributes;
  if (::mount_setattr(mount_fd, "", flags, &copy, sizeof copy) < 0) return fail_errno("mount_setattr");
  return {};
}

Status pivot_root_here() {
  if (::syscall(SYS_pivot_root, ".", ".") < 0) return fail_errno("pivot_root");
  return {};
}

}  // namespace skerry::sys
