#include "keeper/daemonize.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/sys_file.h"

namespace skerry::keeper {
namespace {

Status fork_and_leave() {
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno("fork");
  if (pid > 0) ::_exit(0);
  return {};
}

}  // namespace

Status daemonize() {
  // Only the leader of a process group, as a shell makes of each command, has to fork first (setsid(2)).
  if (::setsid() < 0) {
    TRY(fork_and_leave());
    if (::setsid() < 0) return fail_errno("setsid");
  }
  // No session leader any more: a terminal opened later can never become the controlling one.
  TRY(fork_and_leave());
  const Fd null = TRY(sys::open("/dev/null", O_RDWR));
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::dup2(null.get(), fd) < 0) return fail_errno("dup2 /dev/null");
  }
  if (::chdir("/") < 0) return fail_errno("chdir /");
  return {};
}

}  // namespace skerry::keeper
