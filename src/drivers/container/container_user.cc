#include "drivers/container/container_user.h"

#include <fcntl.h>
#include <linux/openat2.h>

#include "base/sys_file.h"

namespace skerry {
namespace {

constexpr std::size_t kMaxFile = 4U << 20U;

std::string read_inside(int root, const std::string& path) {
  // Not to wait on a FIFO, and not to open a device, that a hostile image put there.
  const auto file = sys::openat2(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
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

}  // namespace skerry
