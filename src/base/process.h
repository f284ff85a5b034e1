// Child processes, owned by pidfd (pidfd_open(2)): no pid is ever signalled after it could have been reused.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"

namespace skerry {

// How a process ended. Exactly one of the two is set (wait(2)).
struct ExitStatus {
  std::optional<int> code;
  std::optional<int> signal;
  bool operator==(const ExitStatus&) const = default;
  [[nodiscard]] bool success() const { return code == 0; }
  // What a shell would report: the code, or 128 + signal.
  [[nodiscard]] int shell_code() const { return code ? *code : 128 + signal.value_or(0); }
  // "exit code 1" or "signal 9 (KILL)".
  [[nodiscard]] std::string describe() const;
};

// What to run. Everything not named here is closed or cleared in the child: descriptors (close_range(2)), signal mask,
// signal dispositions. The environment is replaced when `env` is set, else inherited.
struct SpawnSpec {
  struct InheritFd {
    int source = -1;  // borrowed
    int target = -1;  // number in the child
  };
  std::vector<std::string> argv;  // argv[0] is looked up in PATH when it has no slash
  std::string program;            // what to execute when that is not argv[0]
  std::optional<std::vector<std::string>> env;
  std::string working_directory;                                      // empty: inherited
  std::vector<InheritFd> fds;                                         // 0, 1, 2 default to /dev/null unless named here
  enum class Session { kInherit, kNew } session = Session::kInherit;  // kNew: setsid(2)
  int parent_death_signal = 0;                                        // prctl(PR_SET_PDEATHSIG); 0 for none
  bool no_new_privileges = false;                                     // prctl(PR_SET_NO_NEW_PRIVS)
  int namespaces = 0;  // CLONE_NEW*: which it gets of its own (clone(2)); not CLONE_NEWUSER
};

// A running or ended child. Going out of scope does NOT end it: call kill() and wait().
class Child {
 public:
  // fork + exec. Reports a failed exec as an error (kCommandNotFound for ENOENT, kNotExecutable for EACCES/ENOEXEC).
  static Result<Child> spawn(const SpawnSpec& spec);

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Readable (poll) when the child has ended. Borrowed.
  [[nodiscard]] int pidfd() const { return pidfd_.get(); }
  // pidfd_send_signal(2). An already ended child is success.
  [[nodiscard]] Status signal(int signal_number) const;
  // Waits and reaps. Without a deadline it waits for ever; with one it fails with kDeadlineExceeded.
  Result<ExitStatus> wait(std::optional<Duration> timeout = std::nullopt);

 private:
  Child(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  pid_t pid_ = -1;
  Fd pidfd_;
  std::optional<ExitStatus> ended_;
};

// Runs to the end and collects both outputs (each cut at `limit` bytes, the rest is read and dropped).
// The child is killed when the deadline passes.
struct CommandOutput {
  ExitStatus status;
  std::string out;
  std::string err;
};
Result<CommandOutput> run_command(const SpawnSpec& spec, Duration timeout, std::size_t limit = 1U << 20U);

// pidfd_open(2) on a process that need not be our child. kNotFound when there is none.
Result<Fd> open_pidfd(pid_t pid);
// pidfd_send_signal(2); ESRCH is success.
Status send_signal(int pidfd, int signal_number);
// Whether poll(2) shows the process of this pidfd as ended, waiting up to `timeout`.
Result<bool> has_ended(int pidfd, Duration timeout);
// Start time in clock ticks since boot, field 22 of /proc/PID/stat (proc(5)). Together with the pid it names one
// process for good: compare before trusting a pid read from a file.
Result<std::uint64_t> process_start_time(pid_t pid);
// A pidfd on exactly that process: kNotFound when it has gone, also when its pid is another's by now.
Result<Fd> open_same_process(pid_t pid, std::uint64_t start_time);

}  // namespace skerry
