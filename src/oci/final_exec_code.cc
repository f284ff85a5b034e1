// The code that outlives the runtime's own program in memory. See final_exec.h.
//
// Rules here: system calls by inline assembly only; no calls, no constants in .rodata, no globals, no C library. The
// file is compiled without stack protector, jump tables and built-in replacement (CMakeLists.txt).
#include "oci/final_exec_code.h"

#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>
#include <ctime>

#include "oci/final_exec.h"
#include "oci/status_message.h"

#define FINAL_INLINE inline __attribute__((always_inline))

namespace skerry::oci {
namespace {

#if defined(__x86_64__)
FINAL_INLINE long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) {
  long answer = 0;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  asm volatile("syscall"
               : "=a"(answer)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
               : "rcx", "r11", "memory");
  return answer;
}
#elif defined(__aarch64__)
FINAL_INLINE long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) {
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  register long x3 asm("x3") = d;
  register long x4 asm("x4") = e;
  asm volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
  return x0;
}
#else
#error "system calls of this architecture are not written yet"
#endif

template <typename T>
FINAL_INLINE long address(T* pointer) {
  return reinterpret_cast<long>(pointer);
}

FINAL_INLINE void report(int fd, StatusKind kind, long error, FinalStep step) {
  StatusHeader header;
  header.kind = kind;
  header.value = static_cast<std::int32_t>(-error);
  header.step = static_cast<std::uint32_t>(step);
  call(SYS_write, fd, address(&header), sizeof header);
}

FINAL_INLINE void give_up(int fd, long error, FinalStep step) {
  report(fd, StatusKind::kFailed, error, step);
  call(SYS_exit_group, step == FinalStep::kExec && error == -ENOENT ? 127 : 126);
}

FINAL_INLINE long read_byte(int fd) {
  char byte = 0;
  long got = 0;
  do {
    got = call(SYS_read, fd, address(&byte), 1);
  } while (got == -EINTR);
  return got;
}

// Waits until somebody says go; the descriptor on which failures are reported from then on.
FINAL_INLINE int wait_for_start(const FinalPlan* plan) {
  // Ready means that `create` may end: from here on its end is no reason to die.
  if (plan->start_listener >= 0) call(SYS_prctl, PR_SET_PDEATHSIG, 0);
  if (plan->report_ready) report(plan->status_fd, StatusKind::kReady, 0, FinalStep::kNone);
  if (plan->start_listener < 0) {
    const long got = read_byte(plan->status_fd);
    // End of file: the runtime went away, so nobody knows about this container.
    if (got == 0) call(SYS_exit_group, 126);
    if (got < 0) give_up(plan->status_fd, got, FinalStep::kWait);
    return plan->status_fd;
  }
  call(SYS_close, plan->status_fd);
  for (;;) {
    const long connection = call(SYS_accept4, plan->start_listener, 0, 0, SOCK_CLOEXEC);
    if (connection == -EINTR || connection == -ECONNABORTED) continue;
    if (connection < 0) call(SYS_exit_group, 126);
    // Connected and gone again without a word: not a start.
    if (read_byte(static_cast<int>(connection)) == 1) {
      // Who ends in a hook was not on the way to the program: then it is said behind the hooks.
      if (plan->hook_count == 0) report(static_cast<int>(connection), StatusKind::kReady, 0, FinalStep::kNone);
      return static_cast<int>(connection);
    }
    call(SYS_close, connection);
  }
}

// The child goes on; its parent reports the child's pid and is done.
FINAL_INLINE void fork_last(const FinalPlan* plan) {
  const long pid = call(SYS_clone, CLONE_PARENT | SIGCHLD);
  if (pid == 0) {
    call(SYS_setsid);
    if (plan->has_terminal) call(SYS_ioctl, 0, TIOCSCTTY, 0);
    return;
  }
  if (pid < 0) give_up(plan->status_fd, pid, FinalStep::kFork);
  report(plan->status_fd, StatusKind::kStaged, -pid, FinalStep::kNone);
  call(SYS_exit_group, 0);
}

FINAL_INLINE void load_seccomp(const FinalPlan* plan, int report_fd) {
  if (plan->seccomp.len == 0) return;
  const long answer = call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, plan->seccomp_flags, address(&plan->seccomp));
  if (answer < 0) give_up(report_fd, answer, FinalStep::kSeccomp);
  if (plan->listener_message == nullptr) return;
  // From here on sendmsg(2) is judged by the filter itself; seccomp_filter.cc refuses one that would wait for an
  // answer.
  *plan->listener_slot = static_cast<int>(answer);
  const long sent = call(SYS_sendmsg, report_fd, address(plan->listener_message), MSG_NOSIGNAL);
  if (sent < 0) give_up(report_fd, sent, FinalStep::kListener);
}

FINAL_INLINE void set_capabilities(const FinalPlan* plan, int report_fd) {
  if (!plan->set_capabilities) return;
  // The kernel writes its version into the header: a private copy.
  __user_cap_header_struct header;
  header.version = plan->capability_header.version;
  header.pid = 0;
  const long answer = call(SYS_capset, address(&header), address(plan->capability_data));
  if (answer < 0) give_up(report_fd, answer, FinalStep::kCapabilities);
  call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (unsigned number = 0; number < 64; ++number) {
    if ((plan->ambient >> number & 1U) == 0) continue;
    const long raised = call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0);
    if (raised < 0) give_up(report_fd, raised, FinalStep::kAmbient);
  }
}

// The filter and the capabilities in the order in which both are possible.
FINAL_INLINE void restrict_caller(const FinalPlan* plan, int report_fd) {
  if (plan->seccomp_first) load_seccomp(plan, report_fd);
  set_capabilities(plan, report_fd);
  if (plan->no_new_privileges) {
    const long answer = call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (answer < 0) give_up(report_fd, answer, FinalStep::kNoNewPrivileges);
  }
  if (!plan->seccomp_first) load_seccomp(plan, report_fd);
}

// Where the filter has to come late: nothing but what loading it needs stays until then.
FINAL_INLINE void drop_most_capabilities(const FinalPlan* plan, int report_fd) {
  if (!plan->set_capabilities) return;
  __user_cap_header_struct header;
  header.version = plan->capability_header.version;
  header.pid = 0;
  __user_cap_data_struct data[2];
  for (unsigned half = 0; half < 2; ++half) {
    data[half].effective = data[half].permitted = plan->capability_data[half].permitted;
    data[half].inheritable = plan->capability_data[half].inheritable;
  }
  if (plan->seccomp_first && plan->seccomp.len != 0) {
    data[0].effective |= 1U << CAP_SYS_ADMIN;
    data[0].permitted |= 1U << CAP_SYS_ADMIN;
  }
  const long answer = call(SYS_capset, address(&header), address(data));
  if (answer < 0) give_up(report_fd, answer, FinalStep::kCapabilities);
}

FINAL_INLINE void allow_signals() {
  std::uint64_t no_signals = 0;
  call(SYS_rt_sigprocmask, SIG_SETMASK, address(&no_signals), 0, sizeof no_signals);
}

// Tells which hook it was, how it ended and what it wrote (HookReport and text behind the header).
FINAL_INLINE void give_up_on_hook(const FinalPlan* plan, unsigned index, long error, int wait_status, int report_fd) {
  struct {
    StatusHeader header;
    HookReport hook;
    char output[kMaxHookOutput];
  } message;
  message.header.kind = StatusKind::kFailed;
  message.header.value = static_cast<std::int32_t>(-error);
  message.header.step = static_cast<std::uint32_t>(FinalStep::kHook);
  message.hook.index = index;
  message.hook.wait_status = wait_status;
  long got = call(SYS_read, plan->hooks[index].output_read, address(message.output), sizeof message.output);
  if (got < 0) got = 0;
  call(SYS_write, report_fd, address(&message), static_cast<long>(sizeof message - sizeof message.output) + got);
  call(SYS_exit_group, 126);
}

// The hook's own process: the descriptors of ours are closed before its program runs.
FINAL_INLINE void become_hook(const FinalHook* hook) {
  call(SYS_dup3, hook->state_fd, 0, 0);
  call(SYS_dup3, hook->output_write, 1, 0);
  call(SYS_dup3, hook->output_write, 2, 0);
  call(SYS_close_range, 3, ~0U, 0);
  allow_signals();
  const long answer = call(SYS_execve, address(hook->path), address(hook->argv), address(hook->envp));
  call(SYS_exit_group, answer == -ENOENT ? 127 : 126);
}

FINAL_INLINE void run_hook(const FinalPlan* plan, unsigned index, int report_fd) {
  const FinalHook* hook = &plan->hooks[index];
  int pidfd = -1;
  const long pid = call(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, address(&pidfd));
  if (pid == 0) become_hook(hook);
  if (pid < 0) give_up_on_hook(plan, index, pid, 0, report_fd);
  struct pollfd end;
  end.fd = pidfd;
  end.events = POLLIN;
  struct timespec limit;
  limit.tv_sec = hook->timeout_s;
  limit.tv_nsec = 0;
  const long ended = call(SYS_ppoll, address(&end), 1, hook->timeout_s == 0 ? 0 : address(&limit), 0, 0);
  if (ended <= 0) call(SYS_kill, pid, SIGKILL);  // our own child, not reaped yet
  int wait_status = 0;
  const long reaped = call(SYS_wait4, pid, address(&wait_status), 0, 0);
  call(SYS_close, pidfd);
  if (ended == 0) give_up_on_hook(plan, index, -ETIMEDOUT, 0, report_fd);
  if (ended < 0) give_up_on_hook(plan, index, ended, 0, report_fd);
  if (reaped < 0) give_up_on_hook(plan, index, reaped, 0, report_fd);
  if (wait_status != 0) give_up_on_hook(plan, index, 0, wait_status, report_fd);
}

}  // namespace

extern "C" __attribute__((section("skerry_final"), used, noinline)) void skerry_final_code(const FinalPlan* plan) {
  call(SYS_munmap, static_cast<long>(plan->image_begin), static_cast<long>(plan->image_size));
  if (plan->hide_program) {
    const long hidden =
        call(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, address(&plan->memory_map), sizeof plan->memory_map, 0);
    if (hidden < 0) give_up(plan->status_fd, hidden, FinalStep::kHideRuntime);
  }
  // Now, before anybody in the container can see this process: who may trace it must not win anything by it.
  if (plan->seccomp_early) {
    restrict_caller(plan, plan->status_fd);
  } else {
    drop_most_capabilities(plan, plan->status_fd);
  }
  // The change of the user may have made it dumpable again (proc(5), suid_dumpable).
  call(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (plan->fork_last) fork_last(plan);
  const int report_fd = wait_for_start(plan);
  call(SYS_prctl, PR_SET_PDEATHSIG, 0);

  if (!plan->seccomp_early) restrict_caller(plan, report_fd);
  for (unsigned index = 0; index < plan->hook_count; ++index) run_hook(plan, index, report_fd);
  if (plan->hook_count != 0) report(report_fd, StatusKind::kReady, 0, FinalStep::kNone);
  allow_signals();
  const long answer = call(SYS_execve, address(plan->path), address(plan->argv), address(plan->envp));
  give_up(report_fd, answer, FinalStep::kExec);
  __builtin_unreachable();
}

}  // namespace skerry::oci
