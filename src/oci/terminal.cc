#include "oci/terminal.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "oci/safe_path.h"

namespace skerry::oci {
namespace {

Result<Fd> open_master(int root_fd) {
  auto opened = sys::openat2(root_fd, "dev/pts/ptmx", O_RDWR | O_NOCTTY,
                             RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
  if (!opened) {
    return fail(std::move(std::move(opened).error())
                    .in("open the container's terminal")
                    .with_hint("a terminal needs a devpts mount on /dev/pts"));
  }
  const auto info = TRY(sys::fstat(opened->get()));
  struct statfs fs{};
  if (::fstatfs(opened->get(), &fs) < 0) return fail_errno("fstatfs /dev/pts/ptmx");
  if (fs.f_type != DEVPTS_SUPER_MAGIC || !S_ISCHR(info.st_mode) || info.st_rdev != ::makedev(5, 2)) {
    return fail(ErrorCode::kInvalidArgument, "/dev/pts/ptmx of the container is not a terminal multiplexer");
  }
  return opened;
}

}  // namespace

Result<Terminal> make_terminal(int root_fd, const std::optional<ConsoleSize>& size, uid_t uid) {
  Terminal out;
  out.master = TRY(open_master(root_fd));
  int unlock = 0;
  if (::ioctl(out.master.get(), TIOCSPTLCK, &unlock) < 0) return fail_errno("unlock the terminal");
  unsigned number = 0;
  if (::ioctl(out.master.get(), TIOCGPTN, &number) < 0) return fail_errno("number of the terminal");
  out.slave_path = cat("/dev/pts/", number);
  const int slave = ::ioctl(out.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0) return fail_errno("open the terminal's other end");
  out.slave.reset(slave);
  if (size) {
    const winsize window{size->height, size->width, 0, 0};
    if (::ioctl(slave, TIOCSWINSZ, &window) < 0) return fail_errno("set the terminal's size");
  }
  if (uid != 0 && ::fchown(slave, uid, static_cast<gid_t>(-1)) < 0) return fail_errno("chown the terminal");
  return out;
}

Status bind_console(int root_fd, int slave) {
  const Fd target = TRY(make_in_root(root_fd, "/dev/console", MissingTarget::kFile, Symlinks::kRefuse));
  const Fd tree = TRY(sys::clone_mount(slave, "", sys::Recursion::kNone));
  return annotate(sys::attach_mount(tree.get(), target.get()), "/dev/console");
}

Status take_terminal(int slave) {
  if (::ioctl(slave, TIOCSCTTY, 0) < 0) return fail_errno("take the controlling terminal");
  return {};
}

Status use_terminal(int slave) {
  for (int target = 0; target <= 2; ++target) {
    if (::dup2(slave, target) < 0) return fail_errno("dup2 terminal");
  }
  return {};
}

Status send_master(int socket, const Terminal& terminal) {
  return annotate(send_with_fds(socket, terminal.slave_path, {terminal.master.get()}), "hand over the terminal");
}

}  // namespace skerry::oci
