#include "oci/process_entry.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/sys_process.h"
#include "base/text.h"
#include "oci/executable.h"
#include "oci/null_device.h"
#include "oci/own_proc.h"
#include "oci/process_attributes.h"
#include "oci/rlimits.h"
#include "oci/terminal.h"

namespace skerry::oci {
namespace {

constexpr mode_t kDefaultUmask = 0022;

// Everything above the standard and the preserved descriptors goes now, not at exec: what is not open cannot leak
// through a working directory or a /proc path (CVE-2024-21626).
Status close_others(const ProcessEntry& entry) {
  std::vector<unsigned> kept;
  for (const int fd : {entry.status_fd, entry.start_listener, entry.disguise_fd}) {
    if (fd >= 0) kept.push_back(static_cast<unsigned>(fd));
  }
  std::ranges::sort(kept);
  unsigned first = 3 + entry.preserved_fds;
  for (const unsigned fd : kept) {
    if (fd > first && ::syscall(SYS_close_range, first, fd - 1, 0) < 0) return fail_errno("close_range");
    first = std::max(first, fd + 1);
  }
  return sys::close_from(first, sys::CloseWhen::kNow);
}

// Pipes, sockets, files and terminals can be somebody's own; a device such as /dev/null is everybody's.
bool can_be_given(int fd, const struct stat& info) {
  if (S_ISCHR(info.st_mode)) return ::isatty(fd) == 1;
  return !S_ISBLK(info.st_mode) && !S_ISDIR(info.st_mode);
}

// A program of another user must be able to reopen its own /dev/stdout; the pipes belong to whoever started us.
void give_stdio(uid_t uid) {
  for (int fd = 0; fd <= 2; ++fd) {
    struct stat info{};
    if (::fstat(fd, &info) < 0 || info.st_uid == uid || !can_be_given(fd, info)) continue;
    // Best effort: a read-only file system or an unmapped owner only means that reopening stays refused.
    (void)::fchown(fd, uid, static_cast<gid_t>(-1));
  }
}

Status set_process_attributes(const ProcessEntry& entry) {
  const Process& process = *entry.process;
  if (entry.linux_part->personality) TRY(set_personality(*entry.linux_part->personality));
  if (entry.linux_part->memory_policy) TRY(set_memory_policy(*entry.linux_part->memory_policy));
  if (process.scheduler) TRY(set_scheduler(*process.scheduler));
  if (process.io_priority) TRY(set_io_priority(*process.io_priority));
  if (process.exec_cpu_affinity && !process.exec_cpu_affinity->final_list.empty()) {
    TRY(set_cpu_affinity(process.exec_cpu_affinity->final_list, "/process/execCPUAffinity/final"));
  }
  return annotate(set_rlimits(process.rlimits), "/process/rlimits");
}

Status set_security_labels(const Process& process) {
  if (process.apparmor_profile.empty() && process.selinux_label.empty()) return {};
  const Fd proc = TRY(mount_own_proc());
  if (!process.apparmor_profile.empty()) TRY(set_apparmor_on_exec(proc.get(), process.apparmor_profile));
  if (!process.selinux_label.empty()) TRY(set_selinux_on_exec(proc.get(), process.selinux_label));
  return {};
}

// Nothing but the process's own group, and groups that mean nothing in this user namespace.
bool has_no_real_groups() {
  constexpr gid_t kUnmapped = 65534;  // /proc/sys/kernel/overflowgid
  std::array<gid_t, 1024> groups{};
  const int count = ::getgroups(static_cast<int>(groups.size()), groups.data());
  return count >= 0 && std::all_of(groups.begin(), groups.begin() + count,
                                   [](gid_t group) { return group == kUnmapped || group == ::getegid(); });
}

// In a user namespace whose gid map was written without privilege setgroups(2) is off for good; the inherited groups
// stay, unmapped. Asking for groups there is an error.
Status set_supplementary_groups(const User& user) {
  const std::vector<gid_t> groups(user.additional_gids.begin(), user.additional_gids.end());
  auto done = sys::set_groups(groups);
  if (!done && done.error().sys_errno == EPERM && groups.empty() && has_no_real_groups()) return {};
  return annotate(std::move(done), "/process/user/additionalGids");
}

Status become_user(const User& user, const CapabilityPlan& capabilities) {
  TRY(drop_bounding_set(capabilities.bounding));
  // What the last steps need (SYS_ADMIN, SETPCAP) must survive the change of identity.
  if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) return fail_errno("prctl PR_SET_KEEPCAPS");
  TRY(set_supplementary_groups(user));
  TRY_IN("/process/user/gid", sys::set_gid(user.gid));
  TRY_IN("/process/user/uid", sys::set_uid(user.uid));
  if (::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0) return fail_errno("prctl PR_SET_KEEPCAPS");
  return {};
}

// The directory must be one of this root: getcwd(2) says "(unreachable)…" otherwise.
Status check_directory(const std::string& cwd) {
  std::array<char, 4096> path{};
  const long length = ::syscall(SYS_getcwd, path.data(), path.size());
  if (length > 0 && path[0] == '/') return {};
  if (length < 0 && errno == ERANGE) return {};
  return fail(ErrorCode::kRefused, cat("/process/cwd: ", cwd, " lies outside of the container"));
}

// Looked up with exactly the rights the program will have; a directory only the runtime can enter is entered as it.
Result<std::string> enter_directory_and_find(const ProcessEntry& entry, CapabilityMask all) {
  const Process& process = *entry.process;
  const auto& wanted = entry.capabilities;
  TRY(set_capabilities(wanted.effective, all, 0));
  int entered = ::chdir(process.cwd.c_str());
  if (entered < 0 && (errno == EACCES || errno == EPERM)) {
    TRY(set_capabilities(all, all, 0));
    entered = ::chdir(process.cwd.c_str());
    const int error = errno;
    TRY(set_capabilities(wanted.effective, all, 0));
    errno = error;
  }
  if (entered < 0) return fail_errno(cat("/process/cwd: chdir to ", process.cwd));
  TRY(check_directory(process.cwd));
  // Of itself in another PID namespace only the last of us can tell: what it finds is told when it executes that.
  const bool is_of_itself = entry.fork_last && process.args.front().starts_with("/proc/self/");
  auto found =
      is_of_itself ? Result<std::string>(process.args.front()) : find_executable(process.args.front(), process.env);
  TRY(set_capabilities(all, all, 0));
  return found;
}

bool has_home(const std::vector<std::string>& env) {
  return std::ranges::any_of(env, [](const std::string& entry) { return entry.starts_with("HOME="); });
}

// HOME from the container's own /etc/passwd, as every shell and daemon expects; "/" when the user has no line there.
std::string home_of(uid_t uid) {
  const int raw = ::open("/etc/passwd", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  const Fd file(raw);
  if (!file) return uid == 0 ? "/root" : "/";
  std::string text(64U << 10U, '\0');
  const auto got = ::read(file.get(), text.data(), text.size());
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  for (const auto line : split(text, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() < 6 || fields[5].empty()) continue;
    const auto number = parse_int<uid_t>(fields[2], "uid");
    if (number && *number == uid) return std::string(fields[5]);
  }
  return "/";
}

}  // namespace

Result<void> enter_process(const ProcessEntry& entry) {
  const Process& process = *entry.process;
  const CapabilityMask all = TRY(own_capabilities()).permitted;
  if (entry.new_keyring) TRY(join_new_session_keyring());
  TRY(set_process_attributes(entry));
  TRY(set_security_labels(process));
  if (entry.terminal_slave >= 0) {
    TRY(use_terminal(entry.terminal_slave));
    // The one who forks last must not lead the session: its end would hang up the terminal.
    if (!entry.fork_last) TRY(take_terminal(entry.terminal_slave));
  } else {
    TRY(replace_null(entry.null));
    give_stdio(process.user.uid);
  }
  TRY(close_others(entry));
  ::umask(static_cast<mode_t>(process.user.umask.value_or(kDefaultUmask)));
  TRY(become_user(process.user, entry.capabilities));

  FinalRequest final_request;
  final_request.path = TRY(enter_directory_and_find(entry, all));
  final_request.args = process.args;
  final_request.env = process.env;
  if (!has_home(process.env)) final_request.env.push_back("HOME=" + home_of(process.user.uid));
  final_request.capabilities = &entry.capabilities;
  final_request.seccomp = entry.seccomp;
  final_request.no_new_privileges = process.no_new_privileges;
  final_request.status_fd = entry.status_fd;
  final_request.start_listener = entry.start_listener;
  final_request.report_ready = entry.report_ready;
  final_request.hooks = entry.start_hooks;
  final_request.hook_state = entry.hook_state;
  final_request.fork_last = entry.fork_last;
  final_request.has_terminal = entry.terminal_slave >= 0;
  final_request.disguise_fd = entry.disguise_fd;
  final_request.title = entry.title;
  return run_final_steps(final_request);
}

}  // namespace skerry::oci
