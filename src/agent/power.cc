#include "agent/power.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>

#include "base/clock.h"

namespace skerry::agent {

void end_all_processes() {
  ::kill(-1, SIGKILL);
  const SystemClock clock;
  const MonoTime end = clock.monotonic() + std::chrono::seconds(1);
  while (clock.monotonic() < end) {
    const pid_t pid = ::waitpid(-1, nullptr, WNOHANG);
    if (pid < 0 && errno == ECHILD) break;
    if (pid == 0) {
      const timespec pause{0, 2'000'000};
      ::nanosleep(&pause, nullptr);
    }
  }
  ::sync();
}

void power_off(int writable_layer) {
  ::sync();
  if (writable_layer >= 0) ::ioctl(writable_layer, FIFREEZE, 0);
  ::reboot(RB_POWER_OFF);
  // Only without the right to: ending PID 1 makes the kernel panic, and a panic ends the machine too.
  ::_exit(1);
}

}  // namespace skerry::agent
