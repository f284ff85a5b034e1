#include "network/netns.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#include <cerrno>
#include <optional>
#include <system_error>
#include <thread>

#include "base/rollback.h"
#include "base/sys_file.h"
#include "base/sys_namespace.h"
#include "base/text.h"
#include "network/link.h"

namespace skerry::network {
namespace {

constexpr const char* kOwnNetns = "/proc/thread-self/ns/net";

Status run_on_thread(const std::function<Status()>& work) {
  Status status;
  try {
    std::thread([&] { status = work(); }).join();
  } catch (const std::system_error& error) {
    return fail(Error::from_errno(error.code().value(), "start a thread for a network namespace"));
  }
  return status;
}

// On a thread that may be spent: it stays in the new namespace until it ends.
Result<NewNetns> bind_new_netns(const std::string& path, const std::function<Status()>& prepare) {
  TRY(sys::unshare(CLONE_NEWNET));
  Netlink netlink = TRY(Netlink::open());
  TRY(set_link_up(netlink, "lo"));
  TRY(prepare());
  Fd netns = TRY(sys::open(kOwnNetns, O_RDONLY));
  TRY(sys::mount(kOwnNetns, path, {}, MS_BIND));
  return NewNetns{std::move(netns), std::move(netlink)};
}

}  // namespace

Status create_netns(const std::string& path) {
  TRY(create_netns(path, [] { return Status(); }));
  return {};
}

Result<NewNetns> create_netns(const std::string& path, const std::function<Status()>& prepare) {
  Fd file = TRY(sys::open(path, O_RDONLY | O_CREAT | O_EXCL, 0400));
  file.reset();
  Rollback rollback;
  rollback.add([&] { static_cast<void>(remove_netns(path)); });
  std::optional<NewNetns> made;
  TRY_IN(cat("create network namespace ", path), run_on_thread([&]() -> Status {
           made = TRY(bind_new_netns(path, prepare));
           return {};
         }));
  rollback.commit();
  return std::move(*made);
}

Status remove_netns(const std::string& path) {
  // More than one mount can lie on the path when an earlier attempt was repeated after a kill.
  while (true) {
    const auto unmounted = sys::umount(path, MNT_DETACH | UMOUNT_NOFOLLOW);
    if (unmounted) continue;
    if (unmounted.error().sys_errno == ENOENT) return {};
    if (unmounted.error().sys_errno == EINVAL) break;  // not a mount point (any more)
    return unmounted;
  }
  const auto removed = sys::unlink(path);
  if (!removed && removed.error().sys_errno != ENOENT) return removed;
  return {};
}

Result<Fd> open_netns(const std::string& path) {
  Fd file = TRY(sys::open(path, O_RDONLY));
  if (::ioctl(file.get(), NS_GET_NSTYPE) != CLONE_NEWNET) {
    return fail(ErrorCode::kCorrupt, cat(path, " is not a network namespace"));
  }
  return file;
}

Result<Fd> current_netns() { return sys::open(kOwnNetns, O_RDONLY); }

Status run_in_netns(int netns_fd, const std::function<Status()>& work) {
  return run_on_thread([&]() -> Status {
    TRY_IN("enter network namespace", sys::setns(netns_fd, CLONE_NEWNET));
    return work();
  });
}

}  // namespace skerry::network
