#include "base/sys_at.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/text.h"

namespace skerry::sys {
namespace {

Status check(int answer, std::string_view call, std::string_view name) {
  if (answer < 0) return fail_errno(cat(call, " ", name));
  return {};
}

}  // namespace

Status mkdirat(int dir_fd, const std::string& name, mode_t mode) {
  return check(::mkdirat(dir_fd, name.c_str(), mode), "mkdir", name);
}
Status mknodat(int dir_fd, const std::string& name, mode_t mode, std::uint32_t major, std::uint32_t minor) {
  return check(::mknodat(dir_fd, name.c_str(), mode, makedev(major, minor)), "mknod", name);
}
Status symlinkat(const std::string& target, int dir_fd, const std::string& name) {
  return check(::symlinkat(target.c_str(), dir_fd, name.c_str()), "symlink", name);
}
Status linkat(int from_dir_fd, const std::string& from, int to_dir_fd, const std::string& to) {
  return check(::linkat(from_dir_fd, from.c_str(), to_dir_fd, to.c_str(), 0), "link", cat(from, " to ", to));
}
Status unlinkat(int dir_fd, const std::string& name) {
  return check(::unlinkat(dir_fd, name.c_str(), 0), "unlink", name);
}

Status fchmod(int fd, mode_t mode) { return check(::fchmod(fd, mode), "fchmod", cat("fd ", fd)); }
Status fchmodat(int dir_fd, const std::string& name, mode_t mode) {
  return check(::fchmodat(dir_fd, name.c_str(), mode, 0), "chmod", name);
}
Status fchown(int fd, uid_t uid, gid_t gid) { return check(::fchown(fd, uid, gid), "fchown", cat("fd ", fd)); }
Status lchownat(int dir_fd, const std::string& name, uid_t uid, gid_t gid) {
  return check(::fchownat(dir_fd, name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW), "chown", name);
}

Status futimens(int fd, const timespec& time) {
  const std::array<timespec, 2> both{time, time};
  return check(::futimens(fd, both.data()), "futimens", cat("fd ", fd));
}
Status lutimensat(int dir_fd, const std::string& name, const timespec& time) {
  const std::array<timespec, 2> both{time, time};
  return check(::utimensat(dir_fd, name.c_str(), both.data(), AT_SYMLINK_NOFOLLOW), "utimensat", name);
}

Status fsetxattr(int fd, const std::string& name, std::string_view value) {
  return check(::fsetxattr(fd, name.c_str(), value.data(), value.size(), 0), "fsetxattr", name);
}

Status pwrite_all(int fd, std::string_view data, std::uint64_t offset) {
  while (!data.empty()) {
    const auto put = ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno(cat("write fd ", fd));
    data.remove_prefix(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return {};
}

}  // namespace skerry::sys
