/* skerry-init: the first program of an initramfs built by `skerry images build`. Mounts /proc, /sys and /dev, runs the
 * agent. If it cannot, it says so on the console; the kernel then panics, as it must without an init.
 *
 * Freestanding: no C library, so that it is a few hundred bytes and starts at once. System calls by number (Linux
 * arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h).
 */

#if defined(__x86_64__)
enum { SYS_write = 1, SYS_execve = 59, SYS_exit = 60, SYS_mount = 165 };

static long call5(long number, long a, long b, long c, long d, long e) {
  long answer;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  __asm__ volatile("syscall"
                   : "=a"(answer)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                   : "rcx", "r11", "memory");
  return answer;
}
/* The stack pointer must be a multiple of 16 before a call. */
__asm__(".globl _start\n_start:\n  xor %ebp, %ebp\n  and $-16, %rsp\n  call start\n");
#elif defined(__aarch64__)
enum { SYS_write = 64, SYS_execve = 221, SYS_exit = 93, SYS_mount = 40 };

static long call5(long number, long a, long b, long c, long d, long e) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
  return x0;
}
__asm__(".globl _start\n_start:\n  mov x29, #0\n  bl start\n");
#else
#error "skerry-init: write the system call of this architecture"
#endif

static const char kAgent[] = "/usr/bin/skerry-agent";
static const char kComplaint[] = "skerry-init: cannot run /usr/bin/skerry-agent\n";

enum { MS_NOSUID = 2, MS_NODEV = 4, MS_NOEXEC = 8 };

/* What is mounted already stays: a second mount that fails is no harm. */
static void mount(const char* type, const char* target, long flags) {
  call5(SYS_mount, (long)type, (long)target, (long)type, flags, 0);
}

void start(void);
void start(void) {
  const char* argv[] = {kAgent, 0};
  const char* env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", 0};
  mount("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC);
  mount("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC);
  mount("devtmpfs", "/dev", MS_NOSUID);
  call5(SYS_execve, (long)kAgent, (long)argv, (long)env, 0, 0);
  call5(SYS_write, 2, (long)kComplaint, sizeof kComplaint - 1, 0, 0);
  call5(SYS_exit, 1, 0, 0, 0, 0);
  for (;;) {
  }
}
