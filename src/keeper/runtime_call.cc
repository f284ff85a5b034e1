#include "keeper/runtime_call.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "keeper/runtime_log.h"

namespace skerry::keeper {
namespace {

// Hooks and a loaded machine take their time; a hung runtime must not hang its caller for ever.
constexpr Duration kDeadline = std::chrono::seconds(120);
constexpr int kFirstExtraFd = 3;

std::string log_path(const RuntimeCall& call) { return call.scratch_dir + "/runtime.log"; }
std::string pid_path(const RuntimeCall& call) { return call.scratch_dir + "/runtime.pid"; }

std::vector<std::string> command_line(const RuntimeCall& call) {
  std::vector<std::string> argv{call.runtime};
  argv.insert(argv.end(), call.global_args.begin(), call.global_args.end());
  argv.insert(argv.end(), {"--log", log_path(call), "--log-format", "json"});
  argv.insert(argv.end(), call.subcommand.begin(), call.subcommand.end());
  argv.insert(argv.end(), {"--pid-file", pid_path(call)});
  if (!call.console_path.empty()) argv.insert(argv.end(), {"--console-socket", call.console_path});
  int highest = kFirstExtraFd - 1;
  for (const auto& fd : call.extra_fds) highest = std::max(highest, fd.target);
  if (highest >= kFirstExtraFd) argv.insert(argv.end(), {"--preserve-fds", cat(highest - kFirstExtraFd + 1)});
  argv.push_back(call.id);
  return argv;
}

// Waits for the runtime, and for the pty it may send meanwhile.
Result<ExitStatus> wait_for_runtime(Child& child, ProcessStdio& stdio) {
  const SystemClock clock;
  const MonoTime deadline = clock.monotonic() + kDeadline;
  while (true) {
    std::array<pollfd, 2> polls{pollfd{child.pidfd(), POLLIN, 0}, pollfd{stdio.console_fd(), POLLIN, 0}};
    const auto left_ms = (deadline - clock.monotonic()).count() / 1'000'000;
    const int ready = left_ms > 0 ? ::poll(polls.data(), polls.size(), static_cast<int>(left_ms)) : 0;
    if (ready < 0 && errno != EINTR) return fail_errno("poll the runtime");
    if (ready == 0) {
      TRY(child.signal(SIGKILL));
      TRY(child.wait());
      return fail(ErrorCode::kDeadlineExceeded, "the OCI runtime did not finish in time and was killed");
    }
    if (ready > 0 && polls[1].revents != 0) TRY(stdio.take_console());
    if (ready > 0 && polls[0].revents != 0) return child.wait();
  }
}

Error runtime_error(const RuntimeCall& call, const ExitStatus& status, const ProcessStdio& stdio) {
  const auto log = read_file(log_path(call));
  std::string message = log ? last_error(*log) : std::string();
  if (message.empty()) message = stdio.read_error_text();
  if (message.empty()) message = cat(call.runtime, " ", call.subcommand[0], " failed with ", status.describe());
  return Error{classify_runtime_error(status.shell_code(), message), 0, std::move(message), {}};
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace

ErrorCode classify_runtime_error(int exit_code, std::string_view message) {
  // The wording of runc, which podman and containerd match, and of crun.
  const bool about_executable =
      contains(message, "executable file") || contains(message, "exec: ") || contains(message, "open executable");
  if (about_executable && (contains(message, "not found") || contains(message, "o such file or directory"))) {
    return ErrorCode::kCommandNotFound;
  }
  if (about_executable && contains(message, "ermission denied")) return ErrorCode::kNotExecutable;
  if (contains(message, "xec format error")) return ErrorCode::kNotExecutable;
  if (exit_code == 127) return ErrorCode::kCommandNotFound;
  if (exit_code == 126) return ErrorCode::kNotExecutable;
  return ErrorCode::kInternal;
}

Result<pid_t> call_runtime(const RuntimeCall& call, ProcessStdio& stdio) {
  // What an earlier call left must not be taken for this one's.
  for (const auto& path : {log_path(call), pid_path(call)}) {
    if (sys::exists(path)) TRY(sys::unlink(path));
  }
  SpawnSpec spec;
  spec.argv = command_line(call);
  spec.fds = stdio.child_fds();
  spec.fds.insert(spec.fds.end(), call.extra_fds.begin(), call.extra_fds.end());
  for (const int fd : call.own_fds) spec.fds.push_back({fd, fd});
  auto child = Child::spawn(spec);
  if (!child) {
    // "Command not found" would mean the container's command; here it is the runtime that is missing.
    child.error().code = ErrorCode::kUnsupported;
    return fail(std::move(child).error().in("OCI runtime"));
  }
  const ExitStatus status = TRY(wait_for_runtime(*child, stdio));
  if (!status.success()) return fail(runtime_error(call, status, stdio));
  const std::string text = TRY_IN("pid file of the OCI runtime", read_file(pid_path(call), 64));
  return parse_int<pid_t>(trim(text), "pid file of the OCI runtime");
}

}  // namespace skerry::keeper
