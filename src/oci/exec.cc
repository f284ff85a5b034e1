// LinuxRuntime::exec: another process in a running container.
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include <csignal>

#include "base/clock.h"
#include "base/file_io.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "oci/console_socket.h"
#include "oci/creation.h"
#include "oci/exec_process.h"
#include "oci/final_exec.h"
#include "oci/foreground.h"
#include "oci/join.h"
#include "oci/linux_runtime.h"
#include "oci/process_attributes.h"
#include "oci/rlimits.h"
#include "oci/status_message.h"

namespace skerry::oci {
namespace {

// From the go to the program. A process of the container may have stopped ours; without an end it would stay for ever.
constexpr std::chrono::seconds kExecTimeout{20};

// setns(2) refuses the user namespace one is in already.
bool shares_user_namespace(pid_t pid) {
  const auto theirs = sys::stat(cat("/proc/", pid, "/ns/user"));
  const auto ours = sys::stat("/proc/self/ns/user");
  return theirs && ours && theirs->st_ino == ours->st_ino && theirs->st_dev == ours->st_dev;
}

int namespace_flags(const Spec& spec, pid_t pid) {
  int flags = 0;
  for (const auto& entry : spec.linux_part.namespaces) flags |= namespace_type(entry.type);
  if ((flags & CLONE_NEWUSER) != 0 && shares_user_namespace(pid)) flags &= ~CLONE_NEWUSER;
  return flags;
}

Result<CgroupDoor> open_door(const ContainerRecord& record, const std::string& subgroup) {
  CgroupRecord groups = record.cgroup;
  if (!subgroup.empty()) {
    if (subgroup.find("..") != std::string::npos) {
      return fail(ErrorCode::kInvalidArgument, cat("--cgroup ", subgroup, ": \"..\" is not allowed"));
    }
    for (auto& directory : groups.directories) directory.path += cat("/", subgroup);
  }
  return open_cgroup(groups);
}

Status check_process(const Process& process, const Linux& linux_part) {
  TRY(check_rlimits(process.rlimits));
  return check_process_attributes(process, linux_part);
}

}  // namespace

Result<JoinPlan> LinuxRuntime::plan_join(const ExecRequest& request, const ContainerRecord& record, const Spec& spec,
                                         const Process& process, const CgroupDoor& door) {
  JoinPlan plan;
  plan.id = record.id;
  plan.process = &process;
  plan.linux_part = &spec.linux_part;
  plan.pid = record.pid;
  plan.container = TRY(open_pidfd(record.pid));
  if (!is_alive(record)) return fail(ErrorCode::kConflict, cat("container not running: \"", record.id, "\""));
  plan.namespace_flags = namespace_flags(spec, record.pid);
  if ((plan.namespace_flags & CLONE_NEWNS) == 0) {
    plan.root = TRY(sys::open(cat("/proc/", record.pid, "/root"), O_PATH | O_DIRECTORY));
  }
  plan.door = &door;
  const auto own = TRY(own_capabilities());
  const bool user_namespace = (plan.namespace_flags & CLONE_NEWUSER) != 0;
  plan.capabilities = plan_capabilities(process.capabilities.value_or(Capabilities{}),
                                        user_namespace ? ~CapabilityMask{0} : own.permitted & own.bounding);
  for (const auto& warning : plan.capabilities.warnings) options_.warn(warning);
  if (spec.linux_part.seccomp) {
    plan.seccomp = TRY(seccomp_filter(*spec.linux_part.seccomp, store_.root() + "/.seccomp"));
  }
  plan.disguise = TRY(make_disguise());
  plan.preserved_fds = request.preserve_fds;
  return plan;
}

Result<int> LinuxRuntime::exec(const ExecRequest& request) {
  const ForegroundSignals signals;
  const auto record = TRY(store_.load(request.id));
  const auto status = status_of(record);
  if (status != ContainerStatus::kRunning && status != ContainerStatus::kCreated) {
    return fail(ErrorCode::kConflict,
                cat("cannot exec in a container that is ", status_name(status), ": \"", request.id, "\""));
  }
  const Spec spec = TRY(parse_spec(TRY(store_.load_spec(request.id))));
  const Process process = TRY(exec_process(request, spec));
  TRY(check_process(process, spec.linux_part));
  const CgroupDoor door = TRY(open_door(record, request.cgroup));
  JoinPlan plan = TRY(plan_join(request, record, spec, process, door));
  auto console = TRY(open_console(process.terminal, request.console_socket, request.detach));
  plan.console_socket = std::move(console.container_end);

  const Launched launched = TRY(join_container(plan));
  plan.console_socket.reset();
  const auto proceed = [&]() -> Status {
    TRY(write_pid_file(request.pid_file, launched.pid));
    const auto sent = send_go(launched.status.get());
    const auto& seccomp = spec.linux_part.seccomp;
    // Whom the filter's agent judges may take as long as the agent does.
    const bool judged = plan.seccomp && plan.seccomp->notifies;
    // Who has ended before it was told to go on says why.
    TRY(wait_until_executed(launched, process.args.front(),
                            {seccomp ? &*seccomp : nullptr, &record, ContainerStatus::kRunning, launched.pid},
                            judged ? std::nullopt : std::optional(SystemClock().monotonic() + kExecTimeout)));
    return sent;
  };
  if (const auto done = proceed(); !done) {
    abandon(launched);
    return fail(done.error());
  }
  if (request.detach) return 0;
  return wait_in_foreground(launched, signals, std::move(console.runtime_end));
}

}  // namespace skerry::oci
