#include "oci/join.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/clock.h"
#include "base/file_io.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/sys_namespace.h"
#include "base/sys_process.h"
#include "base/text.h"
#include "oci/null_device.h"
#include "oci/out_of_memory.h"
#include "oci/process_attributes.h"
#include "oci/process_entry.h"
#include "oci/status_message.h"
#include "oci/terminal.h"

namespace skerry::oci {
namespace {

Status enter_root(int root_fd) {
  if (root_fd < 0) return {};
  if (::fchdir(root_fd) < 0) return fail_errno("enter the container's root");
  if (::chroot(".") < 0) return fail_errno("chroot");
  return {};
}

Status enter_container(const JoinPlan& plan, int status_fd) {
  TRY(sys::set_parent_death_signal(SIGKILL));
  if (is_abandoned(status_fd)) return fail(ErrorCode::kCancelled, "the runtime went away");
  if (const auto& score = plan.process->oom_score_adj) {
    TRY_IN("/process/oomScoreAdj", write_existing("/proc/self/oom_score_adj", cat(*score)));
  }
  if (const auto& affinity = plan.process->exec_cpu_affinity; affinity && !affinity->initial.empty()) {
    TRY(set_cpu_affinity(affinity->initial, "/process/execCPUAffinity/initial"));
  }
  TRY(sys::set_not_dumpable());
  TRY(enter_v1(*plan.door));
  if ((plan.namespace_flags & CLONE_NEWPID) == 0 && ::setsid() < 0 && errno != EPERM) return fail_errno("setsid");
  // One call for all of them: either everything is joined or nothing (setns(2), pidfd).
  if (plan.namespace_flags != 0)
    TRY_IN("join the container's namespaces", sys::setns(plan.container.get(), plan.namespace_flags));
  TRY(enter_root(plan.root.get()));
  if ((plan.namespace_flags & CLONE_NEWUSER) != 0) {
    TRY(sys::set_gid(0));
    TRY(sys::set_uid(0));
    TRY(sys::set_not_dumpable());
  }
  return {};
}

Result<Fd> open_terminal(const JoinPlan& plan) {
  if (!plan.process->terminal) return Fd();
  const Fd root = TRY(sys::open("/", O_PATH | O_DIRECTORY));
  Terminal terminal = TRY(make_terminal(root.get(), plan.process->console_size, plan.process->user.uid));
  TRY(send_master(plan.console_socket.get(), terminal));
  return std::move(terminal.slave);
}

Result<void> join(const JoinPlan& plan, int status_fd) {
  const auto root = sys::open(cat("/proc/", plan.pid, "/root"), O_PATH | O_DIRECTORY);
  Fd null = open_replacement_null(root ? root->get() : -1);
  TRY(enter_container(plan, status_fd));
  const Fd slave = TRY(open_terminal(plan));
  ProcessEntry entry;
  entry.process = plan.process;
  entry.linux_part = plan.linux_part;
  entry.capabilities = plan.capabilities;
  entry.seccomp = plan.seccomp ? &*plan.seccomp : nullptr;
  entry.status_fd = status_fd;
  entry.report_ready = false;
  entry.disguise_fd = plan.disguise.get();
  entry.preserved_fds = plan.preserved_fds;
  entry.terminal_slave = slave.get();
  entry.null = std::move(null);
  entry.new_keyring = false;
  entry.fork_last = (plan.namespace_flags & CLONE_NEWPID) != 0;
  entry.title = cat("skerry-oci exec ", plan.id);
  return enter_process(entry);
}

[[noreturn]] void run_join(const JoinPlan& plan, int status_fd) {
  const auto failed = or_out_of_memory([&] { return join(plan, status_fd); });
  send_failure(status_fd, failed ? Error{} : failed.error());
  ::_exit(126);
}

// From inside of the container somebody can stop the process (SIGSTOP); nothing of a user's runs in it until the
// program.
constexpr std::chrono::seconds kReadyTimeout{20};

// The pid of the program, told by the joining process that makes it.
Result<pid_t> await_pid(int status, const std::string& program) {
  const MonoTime deadline = SystemClock().monotonic() + kReadyTimeout;
  for (;;) {
    TRY(await_status(status, deadline));
    const auto message = TRY(receive_status(status));
    if (!message) return fail(ErrorCode::kIo, "the joining process ended without a word");
    if (message->header.kind == StatusKind::kFailed) return fail(failure_of(*message, program));
    if (message->header.kind == StatusKind::kStaged) return message->header.value;
  }
}

}  // namespace

Result<Launched> join_container(const JoinPlan& plan) {
  auto [runtime_end, child_end] = TRY(make_status_pair());
  auto made = TRY_IN("make the joining process", sys::clone({0, plan.door->unified.get()}));
  if (made.pid == 0) {
    runtime_end.reset();
    run_join(plan, child_end.get());
  }
  child_end.reset();
  Launched out{made.pid, std::move(made.pidfd), std::move(runtime_end)};
  if ((plan.namespace_flags & CLONE_NEWPID) == 0) return out;
  const auto pid = await_pid(out.status.get(), plan.process->args.front());
  if (!pid) {
    abandon(out);
    return fail(pid.error());
  }
  // The joining process has done its part; the program is our child as well (CLONE_PARENT).
  TRY(sys::wait_pid(out.pid));
  out.pid = *pid;
  out.pidfd = TRY(open_pidfd(out.pid));
  return out;
}

}  // namespace skerry::oci
