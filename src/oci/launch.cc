#include "oci/launch.h"

#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>

#include "base/process.h"
#include "base/sys_namespace.h"
#include "base/sys_process.h"
#include "base/text.h"
#include "oci/hooks.h"
#include "oci/id_maps.h"
#include "oci/out_of_memory.h"
#include "oci/status_message.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

namespace skerry::oci {
namespace {

// The first process makes its cgroup namespace itself, and a time namespace is made by the staging process.
std::uint64_t clone_flags(const NamespacePlan& namespaces) {
  return namespaces.new_flags & ~static_cast<std::uint64_t>(CLONE_NEWCGROUP | CLONE_NEWTIME);
}

// The staging process: enters what is to be joined and clones the first process as a child of the runtime.
Result<pid_t> stage(const InitPlan& plan, int status_fd) {
  TRY(sys::set_parent_death_signal(SIGKILL));
  TRY(join_namespaces(plan.namespaces->joined));
  if (plan.namespaces->makes(CLONE_NEWTIME)) {
    TRY_IN("new time namespace", sys::unshare(CLONE_NEWTIME));
    TRY(set_time_offsets(plan.spec->linux_part));
  }
  const auto made = TRY_IN("make the first process", sys::clone({clone_flags(*plan.namespaces) | CLONE_PARENT, -1}));
  if (made.pid == 0) run_init(plan, status_fd);
  return made.pid;
}

[[noreturn]] void run_stage(const InitPlan& plan, int status_fd, int staged_fd) {
  const auto pid = or_out_of_memory([&] { return stage(plan, status_fd); });
  if (!pid) {
    send_failure(staged_fd, pid.error());
    ::_exit(126);
  }
  ::_exit(send_status(staged_fd, StatusKind::kStaged, *pid) ? 0 : 126);
}

Result<Launched> launch_staged(const InitPlan& plan, StatusPair& status) {
  // A channel of its own: the first process may speak on the other one before the staging process does.
  auto staged = TRY(make_status_pair());
  const auto staging = TRY(sys::clone({0, plan.door->unified.get()}));
  if (staging.pid == 0) {
    status.runtime.reset();
    staged.runtime.reset();
    run_stage(plan, status.child.get(), staged.child.get());
  }
  staged.child.reset();
  const auto message = TRY(receive_status(staged.runtime.get()));
  TRY(sys::wait_pid(staging.pid));
  if (!message) return fail(ErrorCode::kIo, "the staging process ended without a word");
  if (message->header.kind != StatusKind::kStaged) return fail(failure_of(*message, {}));
  Launched out;
  out.pid = message->header.value;
  out.pidfd = TRY(open_pidfd(out.pid));
  out.status = std::move(status.runtime);
  return out;
}

}  // namespace

Result<StatusPair> make_status_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return fail_errno("socketpair");
  return StatusPair{Fd(ends[0]), Fd(ends[1])};
}

Result<Launched> launch(const InitPlan& plan) {
  auto status = TRY(make_status_pair());
  if (plan.namespaces->needs_staging()) return launch_staged(plan, status);
  auto made = TRY_IN("make the first process", sys::clone({clone_flags(*plan.namespaces), plan.door->unified.get()}));
  if (made.pid == 0) {
    status.runtime.reset();
    run_init(plan, status.child.get());
  }
  return Launched{made.pid, std::move(made.pidfd), std::move(status.runtime)};
}

Status wait_until_ready(const Launched& launched, const InitPlan& plan) {
  const Spec& spec = *plan.spec;
  const auto state = [&] { return state_document(*plan.record, ContainerStatus::kCreating); };
  for (;;) {
    const auto message = TRY(receive_status(launched.status.get()));
    if (!message) return fail(ErrorCode::kIo, "the container's first process ended while it was being set up");
    switch (message->header.kind) {
      case StatusKind::kReady: return {};
      case StatusKind::kFailed: return fail(failure_of(*message, spec.process->args.front()));
      case StatusKind::kNamespaces:
        TRY(write_id_maps(launched.pid, spec.linux_part.uid_mappings, spec.linux_part.gid_mappings));
        break;
      case StatusKind::kHooks:
        TRY(run_hooks(spec.hooks.prestart, "prestart", state()));
        TRY(run_hooks(spec.hooks.create_runtime, "createRuntime", state()));
        break;
      case StatusKind::kListener:
      case StatusKind::kStaged: continue;
    }
    TRY(send_go(launched.status.get(), cat(launched.pid)));
  }
}

Status wait_until_executed(const Launched& launched, const std::string& program, const ListenerTarget& target,
                           std::optional<MonoTime> deadline) {
  for (;;) {
    if (deadline) TRY(await_status(launched.status.get(), *deadline));
    const auto message = TRY(receive_status(launched.status.get()));
    if (!message) return {};
    if (message->header.kind == StatusKind::kListener) {
      TRY(hand_over_listener(target, message->listener));
      continue;
    }
    if (message->header.kind != StatusKind::kReady) return fail(failure_of(*message, program));
  }
}

void abandon(const Launched& launched) {
  (void)send_signal(launched.pidfd.get(), SIGKILL);
  (void)sys::wait_pid(launched.pid);
}

}  // namespace skerry::oci
