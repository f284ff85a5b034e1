#include "base/signals.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

namespace skerry {

void reset_signal_actions() {
  // The kernel's struct, not glibc's (rt_sigaction(2), "C library/kernel differences"). All zero: SIG_DFL.
  struct KernelAction {
    void* handler = nullptr;
    unsigned long flags = 0;
    void* restorer = nullptr;
    unsigned long mask = 0;
  } action;
  for (int number = 1; number < NSIG; ++number) {
    ::syscall(SYS_rt_sigaction, number, &action, nullptr, sizeof(action.mask));
  }
}

void unblock_signals() {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace skerry
