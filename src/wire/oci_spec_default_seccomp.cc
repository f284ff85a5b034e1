// The default system call allow-list. Grouped by purpose; one table, names as in the kernel. A name a given
// architecture lacks is skipped by the compiler of the filter.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "wire/oci_spec_defaults.h"

namespace skerry::oci {
namespace {

constexpr std::uint32_t kEperm = 1;
constexpr std::uint32_t kEnosys = 38;

// Allowed for everybody.
constexpr std::array kCommon = {
    // Processes, threads, scheduling
    "fork vfork execve execveat exit exit_group wait4 waitid waitpid getpid getppid gettid set_tid_address "
    "getpgid getpgrp setpgid getsid setsid getpriority setpriority sched_get_priority_max sched_get_priority_min "
    "sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
    "sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield "
    "getcpu getrusage getrlimit setrlimit ugetrlimit prlimit64 prctl arch_prctl modify_ldt set_thread_area "
    "get_thread_area set_robust_list get_robust_list rseq restart_syscall membarrier ioprio_get ioprio_set "
    "pidfd_open pidfd_send_signal process_mrelease ptrace process_vm_readv process_vm_writev seccomp "
    "landlock_create_ruleset landlock_add_rule landlock_restrict_self",
    // Signals
    "kill tkill tgkill rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend "
    "rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaction sigaltstack sigpending sigprocmask sigreturn "
    "sigsuspend signal signalfd signalfd4 pause alarm",
    // Identity and capabilities
    "getuid geteuid getgid getegid getgroups getresuid getresgid setuid setgid setreuid setregid setresuid setresgid "
    "setfsuid setfsgid setgroups capget capset umask getuid32 geteuid32 getgid32 getegid32 getgroups32 getresuid32 "
    "getresgid32 setuid32 setgid32 setreuid32 setregid32 setresuid32 setresgid32 setfsuid32 setfsgid32 setgroups32",
    // Memory
    "brk mmap mmap2 munmap mremap mprotect madvise mincore mlock mlock2 mlockall munlock munlockall msync "
    "memfd_create memfd_secret pkey_alloc pkey_free pkey_mprotect remap_file_pages map_shadow_stack mseal "
    "cachestat",
    // Files
    "access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 "
    "fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 "
    "fdatasync flock fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents "
    "getdents64 ioctl lchown lchown32 link linkat lseek _llseek lstat lstat64 mkdir mkdirat mknod mknodat "
    "name_to_handle_at newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read "
    "readahead readlink readlinkat readv rename renameat renameat2 rmdir sendfile sendfile64 splice stat stat64 "
    "statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs tee truncate truncate64 unlink unlinkat "
    "utime utimensat utimensat_time64 utimes write writev fanotify_mark inotify_add_watch inotify_init "
    "inotify_init1 inotify_rm_watch getxattr lgetxattr fgetxattr setxattr lsetxattr fsetxattr listxattr llistxattr "
    "flistxattr removexattr lremovexattr fremovexattr getxattrat setxattrat listxattrat removexattrat",
    // Waiting and events
    "poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 epoll_create epoll_create1 epoll_ctl "
    "epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 pipe pipe2 futex futex_time64 "
    "futex_waitv futex_wait futex_wake futex_requeue io_setup io_destroy io_submit io_cancel io_getevents "
    "io_pgetevents io_pgetevents_time64",
    // Sockets (families are narrowed below)
    "accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64 "
    "recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketpair",
    // System V and POSIX IPC
    "ipc msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget "
    "mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink",
    // Time
    "clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 nanosleep "
    "time times gettimeofday getitimer setitimer timer_create timer_delete timer_getoverrun timer_gettime "
    "timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime "
    "timerfd_settime64 adjtimex clock_adjtime clock_adjtime64",
    // About the system
    "uname sysinfo getrandom",
};

// Allowed with the capability, EPERM without it.
struct Guarded {
  std::string_view capability;
  std::string_view names;
};
constexpr std::array kGuarded = {
    Guarded{"CAP_SYS_ADMIN",
            "bpf clone fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr "
            "move_mount open_tree open_tree_attr perf_event_open pivot_root quotactl quotactl_fd setdomainname "
            "sethostname setns swapon swapoff umount umount2 unshare listmount statmount"},
    Guarded{"CAP_BPF", "bpf"},
    Guarded{"CAP_PERFMON", "perf_event_open"},
    Guarded{"CAP_DAC_READ_SEARCH", "open_by_handle_at"},
    Guarded{"CAP_SYS_BOOT", "reboot kexec_load kexec_file_load"},
    Guarded{"CAP_SYS_CHROOT", "chroot"},
    Guarded{"CAP_SYS_MODULE", "delete_module finit_module init_module query_module"},
    Guarded{"CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node migrate_pages move_pages"},
    Guarded{"CAP_SYS_PACCT", "acct"},
    Guarded{"CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise"},
    Guarded{"CAP_SYS_RAWIO", "iopl ioperm"},
    Guarded{"CAP_SYS_TIME", "clock_settime clock_settime64 settimeofday stime"},
    Guarded{"CAP_SYS_TTY_CONFIG", "vhangup"},
    Guarded{"CAP_SYSLOG", "syslog"},
};
// Never allowed. EPERM instead of ENOSYS: they exist, and are refused.
constexpr std::string_view kRefused =
    "add_key keyctl request_key userfaultfd vmsplice io_uring_setup io_uring_enter "
    "io_uring_register";

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  for (const auto word : split(text, ' ')) {
    if (!word.empty()) out.emplace_back(word);
  }
  return out;
}

SeccompRule allow(std::vector<std::string> names, std::vector<SeccompArg> args = {}) {
  return {std::move(names), "SCMP_ACT_ALLOW", std::nullopt, std::move(args)};
}
SeccompRule refuse(std::vector<std::string> names, std::uint32_t error) {
  return {std::move(names), "SCMP_ACT_ERRNO", error, {}};
}

// clone(2) without the CLONE_NEW* flags. clone3 hides its flags behind a pointer: ENOSYS makes libc use clone.
void add_clone(Seccomp& out) {
  constexpr std::uint64_t kNamespaceFlags = 0x7E020000;  // NEWNS, CGROUP, UTS, IPC, USER, PID, NET
  out.syscalls.push_back(allow({"clone"}, {{0, kNamespaceFlags, 0, "SCMP_CMP_MASKED_EQ"}}));
  out.syscalls.push_back(refuse({"clone3"}, kEnosys));
}

// socket(2) of every family except AF_VSOCK (40, reaches the hypervisor) and AF_ALG (38, kernel crypto attack surface).
// The family is an int for the kernel, a register of 64 bits for the filter: only the low half is compared. What the
// 32-bit socketcall(2) opens lies behind a pointer: it is refused, libc uses socket(2) there since Linux 4.3.
void add_socket(Seccomp& out) {
  // Blocks of families that differ in their last bits only, up to 45, the last of Linux 6.12: {first, size}.
  constexpr std::array<std::pair<std::uint64_t, std::uint64_t>, 7> kBlocks = {
      {{0, 32}, {32, 4}, {36, 2}, {39, 1}, {41, 1}, {42, 2}, {44, 2}}};
  constexpr std::uint64_t kInt = 0xFFFFFFFF;
  for (const auto& [first, size] : kBlocks) {
    out.syscalls.push_back(allow({"socket"}, {{0, kInt & ~(size - 1), first, "SCMP_CMP_MASKED_EQ"}}));
  }
  // Said explicitly, and without a condition: libseccomp makes socketcall of every rule on socket(2) and drops the
  // condition on the way; only a rule without one overrules that.
  out.syscalls.push_back(refuse({"socketcall"}, kEperm));
}

// personality(2): query, PER_LINUX, PER_LINUX32, and both with UNAME26; not ADDR_NO_RANDOMIZE and the like.
void add_personality(Seccomp& out) {
  for (const std::uint64_t value : {0x0ULL, 0x8ULL, 0x20000ULL, 0x20008ULL, 0xFFFFFFFFULL}) {
    out.syscalls.push_back(allow({"personality"}, {{0, value, 0, "SCMP_CMP_EQ"}}));
  }
}

void add_guarded(Seccomp& out, const std::vector<std::string>& capabilities) {
  const auto has = [&](std::string_view name) { return std::ranges::find(capabilities, name) != capabilities.end(); };
  std::vector<std::string> granted;
  for (const auto& guard : kGuarded) {
    if (has(guard.capability)) std::ranges::copy(words(guard.names), std::back_inserter(granted));
  }
  std::vector<std::string> refused = words(kRefused);
  for (const auto& guard : kGuarded) {
    for (auto& name : words(guard.names)) {
      if (name == "clone") continue;  // its argument rule stands below
      const bool listed = std::ranges::find(refused, name) != refused.end();
      if (!listed && std::ranges::find(granted, name) == granted.end()) refused.push_back(std::move(name));
    }
  }
  if (!granted.empty()) out.syscalls.push_back(allow(granted));
  out.syscalls.push_back(refuse(refused, kEperm));
  if (has("CAP_SYS_ADMIN")) {
    out.syscalls.push_back(allow({"clone3"}));
  } else {
    add_clone(out);
  }
}

}  // namespace

Seccomp default_seccomp(const std::vector<std::string>& capabilities) {
  Seccomp out;
  out.default_action = "SCMP_ACT_ERRNO";
  out.default_errno_ret = kEnosys;
#if defined(__x86_64__)
  out.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
#elif defined(__aarch64__)
  out.architectures = {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
#endif
  std::vector<std::string> common;
  for (const std::string_view group : kCommon) std::ranges::copy(words(group), std::back_inserter(common));
  out.syscalls.push_back(allow(std::move(common)));
  add_guarded(out, capabilities);
  add_socket(out);
  add_personality(out);
  return out;
}

}  // namespace skerry::oci
