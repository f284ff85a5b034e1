#include "drivers/qemu/vmm_seccomp.h"

#include <sched.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "base/text.h"

namespace skerry::qemu {
namespace {

constexpr std::array<std::string_view, 6> kAllowed = {
    // To begin and to end. The filter stands before QEMU itself is executed; QEMU then forbids execve(2).
    "execve exit exit_group arch_prctl set_tid_address set_robust_list rseq prlimit64 getrlimit prctl seccomp uname "
    "getpid gettid getuid geteuid getgid getegid getresuid getresgid sysinfo getrandom restart_syscall",
    // Memory
    "brk mmap munmap mremap mprotect madvise msync memfd_create membarrier set_mempolicy mbind get_mempolicy",
    // Files: its disks by descriptor, libraries and firmware by name
    "access faccessat openat open close close_range read readv pread64 preadv preadv2 write writev pwrite64 pwritev "
    "pwritev2 lseek fstat stat lstat newfstatat statfs fstatfs fcntl flock fsync fdatasync ftruncate fallocate "
    "fadvise64 getdents64 readlink readlinkat getcwd fchdir dup dup2 dup3 pipe2 ioctl copy_file_range sync_file_range",
    // Waiting
    "poll ppoll select pselect6 epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd2 futex nanosleep "
    "clock_nanosleep clock_gettime clock_getres gettimeofday time timerfd_create timerfd_settime timerfd_gettime "
    "timer_create timer_settime timer_gettime timer_getoverrun timer_delete sched_yield sched_getaffinity "
    "sched_getparam sched_getscheduler sched_get_priority_max sched_get_priority_min getcpu getrusage times",
    // Signals to its own threads
    "rt_sigaction rt_sigprocmask rt_sigreturn rt_sigtimedwait rt_sigpending sigaltstack signalfd4 tgkill",
    // Its channels: sockets it was given, and the one its memory is saved through
    "connect getpeername getsockname getsockopt setsockopt recvmsg recvfrom sendmsg sendto shutdown",
};
// Their arguments lie behind pointers, or there is an older call for the same.
constexpr std::string_view kNotThere = "clone3 openat2 faccessat2 statx futex_waitv fchmodat2 getxattrat";

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  for (const auto word : split(text, ' ')) {
    if (!word.empty()) out.emplace_back(word);
  }
  return out;
}

}  // namespace

oci::Seccomp vmm_seccomp(std::string_view more) {
  oci::Seccomp out;
  out.default_action = "SCMP_ACT_ERRNO";
  out.default_errno_ret = EPERM;
#if defined(__x86_64__)
  out.architectures = {"SCMP_ARCH_X86_64"};
#elif defined(__aarch64__)
  out.architectures = {"SCMP_ARCH_AARCH64"};
#endif
  const auto allow = [&](std::vector<std::string> names, std::vector<oci::SeccompArg> args = {}) {
    out.syscalls.push_back({std::move(names), "SCMP_ACT_ALLOW", std::nullopt, std::move(args)});
  };
  std::vector<std::string> plain;
  for (const auto group : kAllowed) {
    for (auto& name : words(group)) plain.push_back(std::move(name));
  }
  for (auto& name : words(more)) plain.push_back(std::move(name));
  allow(std::move(plain));
  // A family is an int for the kernel: the upper half of the register says nothing.
  constexpr std::uint64_t kInt = 0xFFFFFFFF;
  allow({"socket", "socketpair"}, {{0, kInt, AF_UNIX, "SCMP_CMP_MASKED_EQ"}});
  allow({"clone"}, {{0, CLONE_THREAD, CLONE_THREAD, "SCMP_CMP_MASKED_EQ"}});
  out.syscalls.push_back({words(kNotThere), "SCMP_ACT_ERRNO", ENOSYS, {}});
  return out;
}

}  // namespace skerry::qemu
