#include "drivers/container/container_user.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>

#include "base/own_thread.h"
#include "base/sys_file.h"
#include "base/sys_namespace.h"
#include "base/text.h"

namespace skerry {
namespace {

constexpr std::size_t kMaxFile = 4U << 20U;

std::string read_inside(int root, const std::string& path) {
  // Not to wait on a FIFO, and not to open a device, that a hostile image put there; nor to read a file of /proc or
  // /sys that a link leads to, with the rights of the host's root: /proc/kmsg is emptied by it.
  constexpr auto kResolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  const auto file = sys::openat2(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, kResolve);
  if (!file) return {};
  const auto st = sys::fstat(file->get());
  if (!st || !S_ISREG(st->st_mode)) return {};
  return sys::read_to_end(file->get(), kMaxFile).value_or(std::string());
}

}  // namespace

Result<Account> find_account(const std::string& rootfs, const std::string& user) {
  const Fd root = TRY(sys::open(rootfs, O_PATH | O_DIRECTORY));
  return resolve_account(user, read_inside(root.get(), "etc/passwd"), read_inside(root.get(), "etc/group"));
}

Result<Fd> open_root_of(pid_t process) {
  const Fd mounts = TRY(sys::open(cat("/proc/", process, "/ns/mnt"), O_RDONLY));
  Fd root;
  TRY(on_own_thread("for a container's mounts", [&]() -> Status {
    TRY(sys::unshare(CLONE_FS));
    TRY(sys::setns(mounts.get(), CLONE_NEWNS));
    root = TRY(sys::open("/", O_PATH | O_DIRECTORY));
    return {};
  }));
  return root;
}

}  // namespace skerry
