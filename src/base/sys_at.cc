#include "base/sys_at.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
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

Result<std::vector<std::string>> flistxattr(int fd) {
  // Most files have none: one call then.
  const auto size = ::flistxattr(fd, nullptr, 0);
  if (size < 0) return fail_errno(cat("flistxattr fd ", fd));
  if (size == 0) return std::vector<std::string>{};
  std::string text(XATTR_LIST_MAX, '\0');
  const auto got = ::flistxattr(fd, text.data(), text.size());
  if (got < 0) return fail_errno(cat("flistxattr fd ", fd));
  text.resize(static_cast<std::size_t>(got));
  std::vector<std::string> names;
  for (std::size_t at = 0; at < text.size(); at += names.back().size() + 1) names.emplace_back(text.c_str() + at);
  std::ranges::sort(names);
  return names;
}

Result<std::string> fgetxattr(int fd, const std::string& name) {
  std::string value(XATTR_SIZE_MAX, '\0');
  const auto got = ::fgetxattr(fd, name.c_str(), value.data(), value.size());
  if (got < 0) return fail_errno(cat("fgetxattr ", name));
  value.resize(static_cast<std::size_t>(got));
  return value;
}

Result<std::size_t> pread(int fd, void* buffer, std::size_t size, std::uint64_t offset) {
  while (true) {
    const auto got = ::pread(fd, buffer, size, static_cast<off_t>(offset));
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) return fail_errno(cat("read fd ", fd));
  }
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
