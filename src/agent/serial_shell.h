// SerialShell: the serial line of the guest as a last way in, for a human when there is no network and nothing else
// works. It needs neither the channel to the host nor a device of the image; the kernel's own messages are on it too.
//
//   waiting ──a key──▶ the shell's, as its controlling terminal ──ended()──▶ waiting
//
// The shell is /bin/sh of the image and may do what the workload may, no more: its user, its capabilities. When a
// session leader ends, the kernel hangs its terminal up (tty_vhangup), so the line is opened anew each time.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "agent/launch.h"
#include "base/event_loop.h"
#include "base/fd.h"
#include "wire/agent_protocol.h"

namespace skerry::agent {

class SerialShell {
 public:
  // `process` is asked for at each start: whose rights, directory and environment it has; its argv does not count.
  SerialShell(EventLoop& loop, std::string device, std::function<wire::GuestProcess()> process)
      : loop_(loop), device_(std::move(device)), process_(std::move(process)) {}
  ~SerialShell();
  SerialShell(const SerialShell&) = delete;
  SerialShell& operator=(const SerialShell&) = delete;

  // From now on the first key starts it. A guest without such a line has none; that is no error.
  void open(std::string cgroup);
  // The process, 0 while it is not there; its end is told by whoever reaps it.
  [[nodiscard]] pid_t pid() const { return pid_; }
  void ended();
  // Ends a shell that runs: it belongs to whoever this guest was before.
  void hang_up() const;

 private:
  void wait_for_key();
  void start();

  EventLoop& loop_;
  std::string device_;
  std::function<wire::GuestProcess()> process_;
  std::string cgroup_;
  Fd line_;  // while waiting
  pid_t pid_ = 0;
};

}  // namespace skerry::agent
