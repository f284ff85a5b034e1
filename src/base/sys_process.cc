#include "base/sys_process.h"

#include <grp.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"

namespace skerry::sys {

Result<CloneAnswer> clone(const CloneRequest& request) {
  int pidfd = -1;
  clone_args args{};
  args.flags = request.flags | CLONE_PIDFD;
  args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  // With CLONE_PARENT the exit signal is the parent's own (clone(2)).
  args.exit_signal = (request.flags & CLONE_PARENT) != 0 ? 0 : SIGCHLD;
  if (request.cgroup_fd >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<std::uint64_t>(request.cgroup_fd);
  }
  const long pid = ::syscall(SYS_clone3, &args, sizeof args);
  if (pid < 0) return fail_errno("clone3");
  CloneAnswer answer;
  answer.pid = static_cast<pid_t>(pid);
  if (pid > 0) answer.pidfd.reset(pidfd);
  return answer;
}

Status close_from(unsigned first, CloseWhen when) {
  constexpr unsigned kCloexec = 1U << 2U;  // CLOSE_RANGE_CLOEXEC
  if (::syscall(SYS_close_range, first, ~0U, when == CloseWhen::kAtExec ? kCloexec : 0U) < 0) {
    return fail_errno("close_range");
  }
  return {};
}

Result<Fd> take_fd(int pidfd, int number) {
  const long fd = ::syscall(SYS_pidfd_getfd, pidfd, number, 0U);
  if (fd < 0) return fail_errno(cat("pidfd_getfd ", number));
  return Fd(static_cast<int>(fd));
}

Status set_not_dumpable() {
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) return fail_errno("prctl PR_SET_DUMPABLE");
  return {};
}

Status set_parent_death_signal(int signal_number) {
  if (::prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0) < 0) return fail_errno("prctl PR_SET_PDEATHSIG");
  return {};
}

Status set_no_new_privileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return fail_errno("prctl PR_SET_NO_NEW_PRIVS");
  return {};
}

Status set_groups(const std::vector<gid_t>& groups) {
  if (::setgroups(groups.size(), groups.data()) < 0) return fail_errno("setgroups");
  return {};
}

Status set_gid(gid_t gid) {
  if (::setresgid(gid, gid, gid) < 0) return fail_errno(cat("setresgid ", gid));
  return {};
}

Status set_uid(uid_t uid) {
  if (::setresuid(uid, uid, uid) < 0) return fail_errno(cat("setresuid ", uid));
  return {};
}

Result<int> wait_pid(pid_t pid) {
  int status = 0;
  for (;;) {
    if (::waitpid(pid, &status, 0) >= 0) return status;
    if (errno != EINTR) return fail_errno(cat("waitpid ", pid));
  }
}

}  // namespace skerry::sys
