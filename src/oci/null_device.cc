#include "oci/null_device.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "base/text.h"
#include "oci/safe_path.h"

namespace skerry::oci {
namespace {

constexpr const char* kPath = "/dev/null";
constexpr std::array kStandard = {0, 1, 2};

bool leads_to_null(int fd) {
  struct stat info{};
  return ::fstat(fd, &info) == 0 && is_null_device(info);
}

// Checked before it is opened, as opening a device may do something, and after, as it may have been exchanged.
Result<Fd> open_own_null() {
  const Fd place = TRY(sys::open(kPath, O_PATH | O_NOFOLLOW));
  if (is_null_device(TRY(sys::fstat(place.get())))) {
    Fd opened = TRY(sys::open(kPath, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
    if (is_null_device(TRY(sys::fstat(opened.get())))) return opened;
  }
  return fail(ErrorCode::kCorrupt, "/dev/null of the container is not character device 1:3");
}

// Through the descriptor that was checked: whatever the path means by then, this is the device.
Result<Fd> open_null_below(int root_fd) {
  if (root_fd < 0) return fail(ErrorCode::kNotFound, "no root");
  const Fd place = TRY(open_in_root(root_fd, kPath, Symlinks::kRefuse));
  if (!is_null_device(TRY(sys::fstat(place.get())))) return fail(ErrorCode::kCorrupt, "not the null device");
  return sys::open(cat("/proc/self/fd/", place.get()), O_RDWR | O_NOCTTY);
}

Result<Fd> open_through_mount() {
  const Fd mount = TRY(mount_host_null());
  return sys::open(cat("/proc/self/fd/", mount.get()), O_RDWR);
}

}  // namespace

bool is_null_device(const struct stat& info) { return S_ISCHR(info.st_mode) && info.st_rdev == ::makedev(1, 3); }

Result<Fd> mount_host_null() {
  const Fd null = TRY(sys::open(kPath, O_PATH | O_NOFOLLOW));
  if (!is_null_device(TRY(sys::fstat(null.get())))) {
    return fail(ErrorCode::kCorrupt, "/dev/null of the host is not character device 1:3");
  }
  Fd mount = TRY(sys::clone_mount(null.get(), "", sys::Recursion::kNone));
  struct mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
  TRY(sys::mount_setattr(mount.get(), attributes, sys::Recursion::kNone));
  return mount;
}

Fd open_replacement_null(int root_fd) {
  if (std::ranges::none_of(kStandard, leads_to_null)) return {};
  if (auto own = open_null_below(root_fd)) return std::move(*own);
  auto opened = open_through_mount();
  return opened ? std::move(*opened) : Fd();
}

Status replace_null(const Fd& replacement) {
  if (std::ranges::none_of(kStandard, leads_to_null)) return {};
  Fd own;
  if (!replacement) {
    auto opened = open_own_null();
    if (!opened) return {};
    own = std::move(*opened);
  }
  const int source = replacement ? replacement.get() : own.get();
  for (const int fd : kStandard) {
    if (leads_to_null(fd) && ::dup3(source, fd, 0) < 0) return fail_errno("replace /dev/null");
  }
  return {};
}

}  // namespace skerry::oci
