// System calls on processes and credentials, each wrapped once. Names follow the man pages in section 2.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace skerry::sys {

// What clone3(2) shall make. The child continues behind the call with a copy of everything, as after fork(2).
struct CloneRequest {
  std::uint64_t flags = 0;  // CLONE_NEW*, CLONE_PARENT
  int cgroup_fd = -1;       // a cgroup v2 directory to be born in (CLONE_INTO_CGROUP)
};
struct CloneAnswer {
  pid_t pid = 0;  // 0 in the child
  Fd pidfd;       // in the parent
};
Result<CloneAnswer> clone(const CloneRequest& request);

// close_range(2) from `first` to the end, closing now or at exec.
enum class CloseWhen : std::uint8_t { kNow, kAtExec };
Status close_from(unsigned first, CloseWhen when);

// pidfd_getfd(2): a duplicate of descriptor `number` of that process.
Result<Fd> take_fd(int pidfd, int number);

// prctl(PR_SET_DUMPABLE, 0): /proc/PID of this process belongs to root and ptrace(2) is refused.
Status set_not_dumpable();
// prctl(PR_SET_PDEATHSIG).
Status set_parent_death_signal(int signal_number);
Status set_no_new_privileges();

// setgroups(2), setresgid(2), setresuid(2).
Status set_groups(const std::vector<gid_t>& groups);
Status set_gid(gid_t gid);
Status set_uid(uid_t uid);

// waitpid(2), retrying EINTR; the raw status.
Result<int> wait_pid(pid_t pid);

}  // namespace skerry::sys
