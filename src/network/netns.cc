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

#include "base/own_thread.h"
#include "base/rollback.h"
#include "base/sys_file.h"
#include "base/sys_namespace.h"
#include "base/text.h"
#include "network/link.h"

namespace skerry::network {
namespace {

constexpr const char* kOwnNetns = "/proc/thread-self/ns/net";

constexpr std::string_view kPurpose = "for a network namespace";

// On a thread that may be spent: it stays in the new namespace until it ends.
Result<NewNetns> enter_new_netns(const std::function<Status()>& prepare) {
  TRY(sys::unshare(CLONE_NEWNET));
  Netlink netlink = TRY(Netlink::open());
  TRY(set_link_up(netlink, "lo"));
  TRY(prepare());
  return NewNetns{TRY(sys::open(kOwnNetns, O_RDONLY)), std::move(netlink)};
}

}  // namespace

Status create_netns(const std::string& path) {
  Fd file = TRY(sys::open(path, O_RDONLY | O_CREAT | O_EXCL, 0400));
  file.reset();
  Rollback rollback;
  rollback.add([&] { static_cast<void>(remove_netns(path)); });
  const auto bind = [&] { return sys::mount(kOwnNetns, path, {}, MS_BIND); };
  TRY_IN(path, create_netns(bind));
  rollback.commit();
  return {};
}

Result<NewNetns> create_netns(const std::function<Status()>& prepare) {
  std::optional<NewNetns> made;
  TRY_IN("create network namespace", on_own_thread(kPurpose, [&]() -> Status {
           made = TRY(enter_new_netns(prepare));
           return {};
         }));
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
  return on_own_thread(kPurpose, [&]() -> Status {
    TRY_IN("enter network namespace", sys::setns(netns_fd, CLONE_NEWNET));
    return work();
  });
}

}  // namespace skerry::network
