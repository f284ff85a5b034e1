// fault_injector: runs a command and disturbs it at one system call, so that a test can go through all of them.
//
//   fault_injector REPORT count   -- COMMAND…      how many system calls there are
//   fault_injector REPORT fail K ERRNO -- COMMAND… the K-th fails with ERRNO and has no effect (but a close closes)
//   fault_injector REPORT kill K  -- COMMAND…      the command is killed at its own K-th (its children go on)
//
// `count` and `fail` count the command and all its descendants together, each until it executes a program; exits and
// what cannot fail do not count. `kill` counts the command's own calls only. REPORT gets "CALLS NUMBER WHO": the calls
// counted, the number of the one that was disturbed (-1: none) and whether it was the command's own ("self") or a
// descendant's ("child"). The exit code is the command's; 128 + signal when it was killed. Source: ptrace(2).
#include <elf.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

enum class Mode { kCount, kFail, kKill };

struct Request {
  std::string report;
  Mode mode = Mode::kCount;
  long at = 0;
  int error = EIO;
  char** command = nullptr;
};

constexpr long kOptions =
    PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(99);
}

struct __ptrace_syscall_info call_info(pid_t pid) {
  struct __ptrace_syscall_info info{};
  ::ptrace(static_cast<__ptrace_request>(PTRACE_GET_SYSCALL_INFO), pid, sizeof info, &info);
  return info;
}

#if defined(__x86_64__)
// At the entry: no such call. At the exit: the answer.
void skip_call(pid_t pid) {
  user_regs_struct registers{};
  ::ptrace(PTRACE_GETREGS, pid, nullptr, &registers);
  registers.orig_rax = ~0ULL;
  ::ptrace(PTRACE_SETREGS, pid, nullptr, &registers);
}
void set_answer(pid_t pid, long answer) {
  user_regs_struct registers{};
  ::ptrace(PTRACE_GETREGS, pid, nullptr, &registers);
  registers.rax = static_cast<unsigned long long>(answer);
  ::ptrace(PTRACE_SETREGS, pid, nullptr, &registers);
}
#elif defined(__aarch64__)
void skip_call(pid_t pid) {
  int number = -1;
  iovec part{&number, sizeof number};
  ::ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &part);
}
void set_answer(pid_t pid, long answer) {
  user_regs_struct registers{};
  iovec part{&registers, sizeof registers};
  ::ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &part);
  registers.regs[0] = static_cast<unsigned long long>(answer);
  ::ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &part);
}
#else
#error "the registers of this architecture are not known here"
#endif

// Ends, and what the kernel has no way to refuse.
bool cannot_fail(std::uint64_t number) {
  return number == SYS_exit || number == SYS_exit_group || number == SYS_rt_sigreturn || number == SYS_umask;
}

class Tracer {
 public:
  Tracer(const Request& request, pid_t command) : request_(request), command_(command) {}

  int run() {
    for (;;) {
      int status = 0;
      const pid_t pid = ::waitpid(-1, &status, __WALL);
      if (pid < 0 && errno == EINTR) continue;
      if (pid < 0) return 99;
      if (WIFEXITED(status) || WIFSIGNALED(status)) {
        if (pid != command_) continue;
        report();
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      }
      stopped(pid, status);
    }
  }

 private:
  static void resume(pid_t pid, int signal_number) {
    ::ptrace(PTRACE_SYSCALL, pid, nullptr, static_cast<long>(signal_number));
  }

  void stopped(pid_t pid, int status) {
    const int event = status >> 16;
    const int number = WSTOPSIG(status);
    if (number == (SIGTRAP | 0x80)) return syscall_stop(pid);
    if (event == PTRACE_EVENT_EXEC) {
      // The command's first exec is how it begins; every other one ends our interest.
      if (pid == command_ && !began_) {
        began_ = true;
        return resume(pid, 0);
      }
      ::ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
      return;
    }
    resume(pid, event != 0 ? 0 : number);
  }

  bool counts(pid_t pid) const { return began_ && (request_.mode != Mode::kKill || pid == command_); }

  void syscall_stop(pid_t pid) {
    const auto info = call_info(pid);
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY && counts(pid) && !cannot_fail(info.entry.nr)) {
      ++calls_;
      if (calls_ == request_.at) return disturb(pid, info.entry.nr);
    } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && pid == failing_) {
      set_answer(pid, -request_.error);
      failing_ = -1;
    }
    resume(pid, 0);
  }

  void disturb(pid_t pid, std::uint64_t number) {
    disturbed_ = static_cast<long>(number);
    own_ = pid == command_;
    if (request_.mode == Mode::kKill) {
      ::kill(pid, SIGKILL);
      return;
    }
    failing_ = pid;
    // close(2) gives up the descriptor also when it fails.
    if (number != SYS_close) skip_call(pid);
    resume(pid, 0);
  }

  void report() const {
    std::FILE* file = std::fopen(request_.report.c_str(), "w");
    if (file == nullptr) die(request_.report.c_str());
    std::fprintf(file, "%ld %ld %s\n", calls_, disturbed_, own_ ? "self" : "child");
    std::fclose(file);
  }

  const Request& request_;
  pid_t command_;
  bool began_ = false;
  long calls_ = 0;
  long disturbed_ = -1;
  bool own_ = false;
  pid_t failing_ = -1;
};

Request parse(int argc, char** argv) {
  Request request;
  int at = 1;
  const auto next = [&] {
    if (at >= argc) die("fault_injector: arguments");
    return std::string(argv[at++]);
  };
  request.report = next();
  const std::string mode = next();
  if (mode == "fail" || mode == "kill") {
    request.mode = mode == "fail" ? Mode::kFail : Mode::kKill;
    request.at = std::atol(next().c_str());
  }
  if (mode == "fail") request.error = std::atoi(next().c_str());
  if (next() != "--" || at >= argc) die("fault_injector: no command");
  request.command = argv + at;
  return request;
}

}  // namespace

int main(int argc, char** argv) {
  const Request request = parse(argc, argv);
  const pid_t command = ::fork();
  if (command < 0) die("fork");
  if (command == 0) {
    ::raise(SIGSTOP);
    ::execv(request.command[0], request.command);
    die(request.command[0]);
  }
  int status = 0;
  if (::waitpid(command, &status, WUNTRACED) < 0 || !WIFSTOPPED(status)) die("waitpid");
  // Seized and not attached: new tracees begin without a SIGSTOP, which could outlive us.
  if (::ptrace(PTRACE_SEIZE, command, nullptr, kOptions) < 0) die("PTRACE_SEIZE");
  ::kill(command, SIGCONT);
  return Tracer(request, command).run();
}
