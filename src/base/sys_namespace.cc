#include "base/sys_namespace.h"

#include <sched.h>
#include <sys/mount.h>

#include "base/text.h"

namespace skerry::sys {
namespace {

const char* or_null(const std::string& text) { return text.empty() ? nullptr : text.c_str(); }

}  // namespace

Status unshare(int flags) {
  if (::unshare(flags) < 0) return fail_errno("unshare");
  return {};
}

Status setns(int fd, int type) {
  if (::setns(fd, type) < 0) return fail_errno(cat("setns fd ", fd));
  return {};
}

Status mount(const std::string& source, const std::string& target, const std::string& type, std::uint64_t flags,
             const std::string& data) {
  if (::mount(or_null(source), target.c_str(), or_null(type), flags, or_null(data)) < 0) {
    return fail_errno(cat("mount ", source.empty() ? type : source, " on ", target));
  }
  return {};
}

Status umount(const std::string& target, int flags) {
  if (::umount2(target.c_str(), flags) < 0) return fail_errno(cat("umount ", target));
  return {};
}

}  // namespace skerry::sys
