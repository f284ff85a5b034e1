#include "base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sanitizer/asan_interface.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/file_io.h"
#include "base/signals.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry {
namespace {

// The failing step of a child between fork and exec, sent over a CLOEXEC pipe. Plain data: no allocation there.
struct ChildFailure {
  int err = 0;
  char step[28] = {};
};

[[noreturn]] void child_fail(int report_fd, const char* step) {
  ChildFailure failure;
  failure.err = errno;
  std::strncpy(failure.step, step, sizeof failure.step - 1);
  [[maybe_unused]] const auto written = ::write(report_fd, &failure, sizeof failure);
  ::_exit(127);
}

// Everything the child needs, as plain pointers made before the fork.
struct ChildPlan {
  const char* program = nullptr;
  std::vector<char*> argv;
  std::vector<char*> env;
  std::vector<SpawnSpec::InheritFd> fds;  // sources already above every target
  const char* working_directory = nullptr;
  bool new_session = false;
  int parent_death_signal = 0;
  bool no_new_privileges = false;
  pid_t parent = 0;
  int report_fd = -1;
};

[[noreturn]] void run_child(const ChildPlan& plan) {
  // Before anything is unblocked: a handler of ours must not run here, on the parent's memory.
  reset_signal_actions();
  unblock_signals();
  if (plan.new_session && ::setsid() < 0) child_fail(plan.report_fd, "setsid");
  if (plan.parent_death_signal != 0) {
    if (::prctl(PR_SET_PDEATHSIG, plan.parent_death_signal) < 0) child_fail(plan.report_fd, "prctl");
    if (::getppid() != plan.parent) ::_exit(127);  // the parent went before the prctl
  }
  if (plan.no_new_privileges && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) child_fail(plan.report_fd, "prctl");
  if (plan.working_directory != nullptr && ::chdir(plan.working_directory) < 0) child_fail(plan.report_fd, "chdir");
  int highest = 2;
  for (const auto& fd : plan.fds) {
    if (::dup2(fd.source, fd.target) < 0) child_fail(plan.report_fd, "dup2");
    highest = std::max(highest, fd.target);
  }
  // CLOEXEC on the rest instead of closing: the report pipe must stay open until exec.
  ::syscall(SYS_close_range, highest + 1, ~0U, 1U << 2U /* CLOSE_RANGE_CLOEXEC */);
  ::execvpe(plan.program, plan.argv.data(), plan.env.data());
  child_fail(plan.report_fd, "exec");
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (const auto& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

std::vector<char*> current_environment() {
  std::vector<char*> out;
  for (char** entry = environ; *entry != nullptr; ++entry) out.push_back(*entry);
  out.push_back(nullptr);
  return out;
}

// Copies every source above every target, so that the dup2 calls of the child cannot overwrite a source.
// Gaps between targets are filled with /dev/null: nothing else may leak into them.
Result<std::vector<Fd>> raise_sources(std::vector<SpawnSpec::InheritFd>& fds) {
  int highest = 2;
  for (const auto& fd : fds) highest = std::max(highest, fd.target);
  const Fd null = TRY(sys::open("/dev/null", O_RDWR));
  for (int target = 0; target <= highest; ++target) {
    const bool named = std::ranges::any_of(fds, [&](const auto& fd) { return fd.target == target; });
    if (!named) fds.push_back({null.get(), target});
  }
  std::vector<Fd> owners;
  for (auto& fd : fds) {
    const int copy = ::fcntl(fd.source, F_DUPFD_CLOEXEC, highest + 1);
    if (copy < 0) return fail_errno(cat("dup fd ", fd.source));
    owners.emplace_back(copy);
    fd.source = copy;
  }
  return owners;
}

Error exec_error(const ChildFailure& failure, const std::string& program) {
  Error error = Error::from_errno(failure.err, cat(failure.step, " ", program));
  if (std::strcmp(failure.step, "exec") == 0) {
    error.code = failure.err == ENOENT ? ErrorCode::kCommandNotFound : ErrorCode::kNotExecutable;
  }
  return error;
}

// Every signal blocked in this thread, and as it was again at the end.
class SignalsHeldBack {
 public:
  SignalsHeldBack() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsHeldBack() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeldBack(const SignalsHeldBack&) = delete;
  SignalsHeldBack& operator=(const SignalsHeldBack&) = delete;

 private:
  sigset_t before_{};
};

// Room for a child that has not executed its program yet; execvpe(3) takes what a path and PATH need.
class ChildStack {
 public:
  static constexpr std::size_t kSize = 256U << 10U;
  ChildStack() : base_(::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)) {
    // The child never returns from its frames: AddressSanitizer's marks in them would stay for the address's next user.
    if (base_ != MAP_FAILED) ASAN_UNPOISON_MEMORY_REGION(base_, kSize);
  }
  ~ChildStack() {
    if (base_ != MAP_FAILED) ::munmap(base_, kSize);
  }
  ChildStack(const ChildStack&) = delete;
  ChildStack& operator=(const ChildStack&) = delete;
  // The end it grows down from; nullptr when there is no memory.
  [[nodiscard]] void* top() const { return base_ == MAP_FAILED ? nullptr : static_cast<char*>(base_) + kSize; }

 private:
  void* base_;
};

struct Born {
  pid_t pid = -1;
  Fd pidfd;
};

// As vfork(2), but on a stack of its own: the child shares our memory and this thread waits until it has executed its
// program. fork(2) would copy the page tables, and every page that the daemon then writes: milliseconds for each child.
Result<Born> give_birth(const ChildPlan& plan, int namespaces) {
  const ChildStack stack;
  if (stack.top() == nullptr) return fail_errno("memory for a child's stack");
  const auto child = [](void* argument) -> int { run_child(*static_cast<const ChildPlan*>(argument)); };
  int pidfd = -1;
  const SignalsHeldBack held_back;
  const pid_t pid = ::clone(child, stack.top(), CLONE_VM | CLONE_VFORK | CLONE_PIDFD | namespaces | SIGCHLD,
                            const_cast<ChildPlan*>(&plan), &pidfd);
  if (pid < 0) return fail_errno("clone");
  return Born{pid, Fd(pidfd)};
}

}  // namespace

std::string ExitStatus::describe() const {
  if (code) return cat("exit code ", *code);
  const char* name = signal ? ::sigabbrev_np(*signal) : nullptr;
  return cat("signal ", signal.value_or(0), " (", name != nullptr ? name : "?", ")");
}

Result<Child> Child::spawn(const SpawnSpec& spec) {
  if (spec.argv.empty()) return fail(ErrorCode::kInvalidArgument, "spawn: empty command");
  ChildPlan plan;
  plan.argv = pointers(spec.argv);
  plan.program = spec.program.empty() ? plan.argv[0] : spec.program.c_str();
  plan.env = spec.env ? pointers(*spec.env) : current_environment();
  plan.fds = spec.fds;
  const auto owners = TRY(raise_sources(plan.fds));
  plan.working_directory = spec.working_directory.empty() ? nullptr : spec.working_directory.c_str();
  plan.new_session = spec.session == SpawnSpec::Session::kNew;
  plan.parent_death_signal = spec.parent_death_signal;
  plan.no_new_privileges = spec.no_new_privileges;
  plan.parent = ::getpid();
  auto report = TRY(sys::pipe());
  int highest = 2;
  for (const auto& fd : plan.fds) highest = std::max(highest, fd.target);
  // The report pipe must not stand on a target number either.
  Fd report_write(::fcntl(report.write_end.get(), F_DUPFD_CLOEXEC, highest + 1));
  if (!report_write) return fail_errno("dup report pipe");
  report.write_end.reset();
  plan.report_fd = report_write.get();

  auto born = TRY(give_birth(plan, spec.namespaces));
  report_write.reset();
  ChildFailure failure;
  const auto got = sys::read(report.read_end.get(), &failure, sizeof failure);
  if (got && *got == sizeof failure) {
    ::waitpid(born.pid, nullptr, 0);
    return fail(exec_error(failure, plan.program));
  }
  return Child(born.pid, std::move(born.pidfd));
}

Status Child::signal(int signal_number) const { return send_signal(pidfd_.get(), signal_number); }

Result<ExitStatus> Child::wait(std::optional<Duration> timeout) {
  if (ended_) return *ended_;
  if (timeout && !TRY(has_ended(pidfd_.get(), *timeout))) {
    return fail(ErrorCode::kDeadlineExceeded, cat("process ", pid_, " still runs"));
  }
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED) < 0) {
    if (errno != EINTR) return fail_errno(cat("waitid ", pid_));
  }
  ExitStatus status;
  if (info.si_code == CLD_EXITED) {
    status.code = info.si_status;
  } else {
    status.signal = info.si_status;
  }
  ended_ = status;
  return status;
}

namespace {

// Reads what is there; false at the end of the file.
bool drain(int fd, std::string& into, std::size_t limit) {
  std::array<char, 16384> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
  const auto got = sys::read(fd, buffer.data(), buffer.size());
  if (!got || *got == 0) return false;
  into.append(buffer.data(), std::min(*got, limit - std::min(limit, into.size())));
  return true;
}

}  // namespace

Result<CommandOutput> run_command(const SpawnSpec& spec, Duration timeout, std::size_t limit) {
  auto out = TRY(sys::pipe());
  auto err = TRY(sys::pipe());
  SpawnSpec with_pipes = spec;
  with_pipes.fds.push_back({out.write_end.get(), 1});
  with_pipes.fds.push_back({err.write_end.get(), 2});
  Child child = TRY(Child::spawn(with_pipes));
  out.write_end.reset();
  err.write_end.reset();
  CommandOutput output;
  const SystemClock clock;
  const MonoTime deadline = clock.monotonic() + timeout;
  while (out.read_end || err.read_end) {
    std::array<pollfd, 2> polls{pollfd{out.read_end.get(), POLLIN, 0}, pollfd{err.read_end.get(), POLLIN, 0}};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock.monotonic()).count();
    const int ready =
        left > 0 ? ::poll(polls.data(), polls.size(), static_cast<int>(std::min<long>(left, 1'000'000))) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      TRY(child.signal(SIGKILL));
      TRY(child.wait());
      return fail(ErrorCode::kDeadlineExceeded, cat(spec.argv[0], " did not finish in time and was killed"));
    }
    if (polls[0].revents != 0 && !drain(out.read_end.get(), output.out, limit)) out.read_end.reset();
    if (polls[1].revents != 0 && !drain(err.read_end.get(), output.err, limit)) err.read_end.reset();
  }
  auto status = child.wait(std::max(Duration(0), deadline - clock.monotonic()));
  if (!status) {
    TRY(child.signal(SIGKILL));
    TRY(child.wait());
    return fail(std::move(status).error());
  }
  output.status = *status;
  return output;
}

Result<Fd> open_pidfd(pid_t pid) {
  const long fd = ::syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) return fail_errno(cat("pidfd_open ", pid));
  return Fd(static_cast<int>(fd));
}

Status send_signal(int pidfd, int signal_number) {
  if (::syscall(SYS_pidfd_send_signal, pidfd, signal_number, nullptr, 0) < 0 && errno != ESRCH) {
    return fail_errno(cat("pidfd_send_signal ", signal_number));
  }
  return {};
}

Result<bool> has_ended(int pidfd, Duration timeout) {
  const SystemClock clock;
  const MonoTime deadline = clock.monotonic() + timeout;
  while (true) {
    pollfd poll_fd{pidfd, POLLIN, 0};
    const auto left = std::max<std::int64_t>(0, (deadline - clock.monotonic()).count());
    const timespec wait{left / 1'000'000'000, left % 1'000'000'000};
    const int ready = ::ppoll(&poll_fd, 1, &wait, nullptr);
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) return fail_errno("poll pidfd");
  }
}

Result<std::uint64_t> process_start_time(pid_t pid) {
  const std::string line = TRY(read_file(cat("/proc/", pid, "/stat"), 8192));
  // The command name (field 2) is in brackets and may hold anything: count from the last bracket.
  const auto close = line.rfind(')');
  if (close == std::string::npos) return fail(ErrorCode::kCorrupt, cat("/proc/", pid, "/stat"));
  const auto fields = split(std::string_view(line).substr(close + 2), ' ');
  constexpr std::size_t kStartTime = 22 - 3;
  if (fields.size() <= kStartTime) return fail(ErrorCode::kCorrupt, cat("/proc/", pid, "/stat"));
  return parse_int<std::uint64_t>(fields[kStartTime], "start time");
}

Result<Fd> open_same_process(pid_t pid, std::uint64_t start_time) {
  // First the pidfd, then the look: the other way round the pid could change hands in between.
  auto pidfd = open_pidfd(pid);
  if (!pidfd && pidfd.error().sys_errno != ESRCH) return pidfd;
  if (pidfd) {
    const auto started = process_start_time(pid);
    if (started && *started == start_time) return pidfd;
  }
  return fail(ErrorCode::kNotFound, cat("process ", pid, " has ended"));
}

}  // namespace skerry
