#include "agent/launch.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "agent/accounts.h"
#include "base/file_io.h"
#include "base/signals.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::agent {
namespace {

constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::size_t kMaxAccountFile = 4U << 20U;
constexpr rlim_t kOpenFilesSoft = 1024;
constexpr rlim_t kOpenFilesHard = 524288;
constexpr int kLastCapability = 63;

// Sent over a CLOEXEC pipe when a step between fork and exec fails.
struct ChildFailure {
  int err = 0;
  char step[20] = {};
};

// All the child needs, made before the fork: nothing is allocated after it.
struct ChildPlan {
  std::vector<char*> argv;
  std::vector<char*> env;
  std::vector<std::string> candidates;  // full paths to try, in order
  const char* cwd = "/";
  const char* cgroup_file = nullptr;
  Account account;
  mode_t umask = 022;
  std::uint64_t dropped = 0;
  bool no_new_privileges = false;
  std::vector<wire::GuestLimit> limits;
  bool terminal = false;
  int stdio[3] = {-1, -1, -1};
  int report = -1;
};

[[noreturn]] void child_fail(const ChildPlan& plan, const char* step, int err) {
  ChildFailure failure;
  failure.err = err;
  std::strncpy(failure.step, step, sizeof failure.step - 1);
  [[maybe_unused]] const auto written = ::write(plan.report, &failure, sizeof failure);
  ::_exit(127);
}

void child_enter_cgroup(const ChildPlan& plan) {
  if (plan.cgroup_file == nullptr) return;
  const int fd = ::open(plan.cgroup_file, O_WRONLY | O_CLOEXEC);
  // "0" is the writer itself (cgroup v2 documentation, "Processes").
  if (fd < 0 || ::write(fd, "0", 1) != 1) child_fail(plan, "enter cgroup", errno);
  ::close(fd);
}

// The agent is protected from the OOM killer, and that is inherited: a workload that kept it could not be killed, and
// the kernel would panic for lack of a victim (proc_pid_oom_score_adj(5)).
void child_unprotect(const ChildPlan& plan) {
  const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0 || ::write(fd, "0", 1) != 1) child_fail(plan, "oom_score_adj", errno);
  ::close(fd);
}

void child_set_stdio(const ChildPlan& plan) {
  if (::setsid() < 0) child_fail(plan, "setsid", errno);
  if (plan.terminal && ::ioctl(plan.stdio[0], TIOCSCTTY, 0) < 0) child_fail(plan, "take terminal", errno);
  for (int fd = 0; fd < 3; ++fd) {
    if (::dup2(plan.stdio[fd], fd) < 0) child_fail(plan, "dup2", errno);
  }
}

void child_become(const ChildPlan& plan) {
  // The bounding set goes while we are still root; the user last, it takes the right to all the others.
  for (int cap = 0; cap <= kLastCapability; ++cap) {
    if ((plan.dropped >> static_cast<unsigned>(cap) & 1U) == 0) continue;
    if (::prctl(PR_CAPBSET_DROP, cap) < 0 && errno != EINVAL) child_fail(plan, "drop capability", errno);
  }
  if (::setgroups(plan.account.groups.size(), plan.account.groups.data()) < 0) child_fail(plan, "setgroups", errno);
  if (::setresgid(plan.account.gid, plan.account.gid, plan.account.gid) < 0) child_fail(plan, "setgid", errno);
  if (::setresuid(plan.account.uid, plan.account.uid, plan.account.uid) < 0) child_fail(plan, "setuid", errno);
  if (plan.no_new_privileges && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
    child_fail(plan, "no_new_privs", errno);
  }
}

[[noreturn]] void run_child(const ChildPlan& plan) {
  reset_signal_actions();
  unblock_signals();
  child_enter_cgroup(plan);
  child_unprotect(plan);
  child_set_stdio(plan);
  const rlimit files{kOpenFilesSoft, kOpenFilesHard};
  ::setrlimit(RLIMIT_NOFILE, &files);  // best effort: the kernel's own limits are good enough without
  for (const auto& limit : plan.limits) {
    const rlimit value{limit.soft, limit.hard};
    if (::setrlimit(static_cast<__rlimit_resource>(limit.resource), &value) < 0) child_fail(plan, "set a limit", errno);
  }
  ::umask(plan.umask);
  child_become(plan);
  // As the user, so that a directory closed to it is refused.
  if (::chdir(plan.cwd) < 0) child_fail(plan, "chdir", errno);
  // As execvp(3): go on looking after ENOENT and EACCES, but remember that something was there.
  int refused = 0;
  for (const auto& candidate : plan.candidates) {
    ::execve(candidate.c_str(), plan.argv.data(), plan.env.data());
    if (errno == EACCES) refused = EACCES;
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) child_fail(plan, "exec", errno);
  }
  child_fail(plan, "exec", refused != 0 ? refused : ENOENT);
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (const auto& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

std::string_view value_of(const std::vector<std::string>& env, std::string_view name) {
  std::string_view value;
  for (const std::string_view entry : env) {
    if (entry.starts_with(name) && entry.substr(name.size()).starts_with('=')) value = entry.substr(name.size() + 1);
  }
  return value;
}

std::vector<std::string> candidates_for(const std::string& program, const std::vector<std::string>& env) {
  if (program.find('/') != std::string::npos) return {program};
  std::vector<std::string> out;
  for (const auto directory : split(value_of(env, "PATH"), ':')) {
    out.push_back(cat(directory.empty() ? "." : directory, "/", program));
  }
  return out;
}

struct Stdio {
  Launched ours;
  std::array<Fd, 3> theirs;
};

Result<Stdio> open_terminal(TerminalSize size) {
  Stdio stdio;
  Fd master = TRY(sys::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK));
  int zero = 0;
  if (::ioctl(master.get(), TIOCSPTLCK, &zero) < 0) return fail_errno("unlock terminal");
  const int slave = ::ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0) return fail_errno("open terminal");
  stdio.theirs[0] = Fd(slave);
  const winsize window{size.rows, size.columns, 0, 0};
  ::ioctl(slave, TIOCSWINSZ, &window);
  stdio.theirs[1] = TRY(sys::dup(slave));
  stdio.theirs[2] = TRY(sys::dup(slave));
  stdio.ours.input = TRY(sys::dup(master.get()));
  stdio.ours.output = std::move(master);
  return stdio;
}

Result<Stdio> open_pipes(bool stdin_open) {
  Stdio stdio;
  if (stdin_open) {
    auto pipe = TRY(sys::pipe());
    TRY(sys::set_nonblocking(pipe.write_end.get()));
    stdio.theirs[0] = std::move(pipe.read_end);
    stdio.ours.input = std::move(pipe.write_end);
  } else {
    stdio.theirs[0] = TRY(sys::open("/dev/null", O_RDONLY));
  }
  for (const std::size_t at : {1U, 2U}) {
    auto pipe = TRY(sys::pipe());
    TRY(sys::set_nonblocking(pipe.read_end.get()));
    stdio.theirs[at] = std::move(pipe.write_end);
    (at == 1 ? stdio.ours.output : stdio.ours.error) = std::move(pipe.read_end);
  }
  return stdio;
}

Result<Stdio> given_terminal(int terminal) {
  Stdio stdio;
  for (auto& fd : stdio.theirs) fd = TRY(sys::dup(terminal));
  return stdio;
}

Result<Stdio> stdio_of(const wire::GuestProcess& process, const LaunchPlace& place) {
  if (!process.terminal) return open_pipes(process.stdin_open);
  return place.terminal < 0 ? open_terminal(process.size) : given_terminal(place.terminal);
}

// The users of a workload that cannot open its own stdio by path (/dev/stdout) would be surprised: it is theirs.
void give_stdio(const Stdio& stdio, const Account& account, bool terminal) {
  if (account.uid == 0) return;
  for (const auto& fd : stdio.theirs) {
    struct stat info{};
    if (::fstat(fd.get(), &info) == 0 && (S_ISFIFO(info.st_mode) || terminal)) {
      [[maybe_unused]] const int done = ::fchown(fd.get(), account.uid, terminal ? info.st_gid : account.gid);
    }
  }
}

Error exec_error(const ChildFailure& failure, const wire::GuestProcess& process) {
  if (std::strcmp(failure.step, "exec") != 0) {
    const std::string_view what = std::strcmp(failure.step, "chdir") == 0 ? std::string_view(process.cwd) : "";
    return Error::from_errno(failure.err, cat(failure.step, what.empty() ? "" : " ", what));
  }
  Error error = Error::from_errno(failure.err, cat("exec ", process.argv.at(0)));
  error.code = failure.err == ENOENT ? ErrorCode::kCommandNotFound : ErrorCode::kNotExecutable;
  return error;
}

Result<Launched> fork_and_exec(ChildPlan& plan, Stdio stdio, const wire::GuestProcess& process) {
  auto report = TRY(sys::pipe());
  // Above 2, so that no dup2 of the child falls on it.
  Fd report_write(::fcntl(report.write_end.get(), F_DUPFD_CLOEXEC, 3));
  if (!report_write) return fail_errno("dup report pipe");
  plan.report = report_write.get();
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno("fork");
  if (pid == 0) run_child(plan);
  stdio.theirs = {};
  report.write_end.reset();
  report_write.reset();
  ChildFailure failure;
  const auto got = sys::read(report.read_end.get(), &failure, sizeof failure);
  if (got && *got == sizeof failure) {
    ::waitpid(pid, nullptr, 0);
    return fail(exec_error(failure, process));
  }
  stdio.ours.pid = pid;
  return std::move(stdio.ours);
}

}  // namespace

std::vector<std::string> complete_environment(const std::vector<std::string>& asked, const std::string& home,
                                              const std::string& hostname, bool terminal) {
  std::vector<std::string> env;
  for (const auto& entry : asked) {
    const auto name = entry.substr(0, entry.find('=') + 1);
    if (name.size() < 2) continue;  // no '=' or no name: nothing a process could look up
    std::erase_if(env, [&](const std::string& other) { return other.starts_with(name); });
    env.push_back(entry);
  }
  const auto add = [&](std::string_view name, std::string_view value) {
    const bool there =
        std::ranges::any_of(env, [&](const std::string& entry) { return entry.starts_with(cat(name, "=")); });
    if (!there && !value.empty()) env.push_back(cat(name, "=", value));
  };
  add("PATH", kDefaultPath);
  add("HOME", home);
  add("HOSTNAME", hostname);
  if (terminal) add("TERM", "xterm");
  return env;
}

Status check_program(const wire::GuestProcess& process) {
  if (process.argv.empty() || process.argv[0].empty()) return fail(ErrorCode::kInvalidArgument, "empty command");
  const auto env = complete_environment(process.env, {}, {}, false);
  int refused = ENOENT;
  for (auto candidate : candidates_for(process.argv[0], env)) {
    if (!candidate.starts_with('/')) candidate = cat(process.cwd.empty() ? "/" : process.cwd, "/", candidate);
    struct stat info{};
    if (::stat(candidate.c_str(), &info) < 0) continue;
    if (S_ISREG(info.st_mode) && ::access(candidate.c_str(), X_OK) == 0) return {};
    refused = EACCES;
  }
  return fail(exec_error({refused, "exec"}, process));
}

Result<Launched> launch(const wire::GuestProcess& process, const LaunchPlace& place) {
  if (process.argv.empty() || process.argv[0].empty()) return fail(ErrorCode::kInvalidArgument, "empty command");
  ChildPlan plan;
  const auto passwd = read_file(place.root + "/etc/passwd", kMaxAccountFile);
  const auto group = read_file(place.root + "/etc/group", kMaxAccountFile);
  plan.account = TRY(resolve_account(process.user, passwd.value_or(""), group.value_or("")));
  std::array<char, HOST_NAME_MAX + 1> hostname{};
  ::gethostname(hostname.data(), hostname.size() - 1);
  const auto env = complete_environment(process.env, plan.account.home, hostname.data(), process.terminal);
  plan.argv = pointers(process.argv);
  plan.env = pointers(env);
  plan.candidates = candidates_for(process.argv[0], env);
  plan.cwd = process.cwd.c_str();
  const std::string cgroup_file = place.cgroup.empty() ? "" : place.cgroup + "/cgroup.procs";
  if (!cgroup_file.empty()) plan.cgroup_file = cgroup_file.c_str();
  plan.umask = process.umask;
  plan.dropped = TRY(dropped_capabilities(process.drop_capabilities, process.keep_capabilities));
  plan.no_new_privileges = process.no_new_privileges;
  plan.limits = process.limits;
  auto& groups = plan.account.groups;
  groups.insert(groups.end(), process.additional_gids.begin(), process.additional_gids.end());
  plan.terminal = process.terminal;
  Stdio stdio = TRY(stdio_of(process, place));
  give_stdio(stdio, plan.account, process.terminal);
  for (std::size_t fd = 0; fd < 3; ++fd) plan.stdio[fd] = stdio.theirs[fd].get();
  return fork_and_exec(plan, std::move(stdio), process);
}

}  // namespace skerry::agent
