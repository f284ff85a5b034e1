#include "oci/creation.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>

#include "base/clock.h"
#include "base/file_io.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "oci/final_exec.h"
#include "oci/intel_rdt.h"
#include "oci/own_proc.h"
#include "oci/process_attributes.h"
#include "oci/rlimits.h"
#include "oci/status_message.h"

namespace skerry::oci {
namespace {

// What the kernel calls the place: one walk, where realpath(3) reads every component as a link.
Result<std::string> absolute_path(const std::string& path) {
  const Fd place = TRY(sys::open(path, O_PATH));
  auto name = sys::readlink(cat("/proc/self/fd/", place.get()));
  // Without /proc, or where the place has no name in our own view.
  if (name && name->starts_with('/') && !name->ends_with(" (deleted)")) return name;
  char resolved[PATH_MAX];
  if (::realpath(path.c_str(), resolved) == nullptr) return fail_errno(path);
  return std::string(resolved);
}

// Descriptors that were promised to the program must be there: a hole would be filled by one of ours.
Status check_preserved(unsigned count) {
  for (unsigned fd = 3; fd < 3 + count; ++fd) {
    if (::fcntl(static_cast<int>(fd), F_GETFD) < 0) {
      return fail(ErrorCode::kInvalidArgument, cat("--preserve-fds ", count, ": descriptor ", fd, " is not open"));
    }
  }
  return {};
}

Status check_root_fd(int fd, const NamespacePlan& namespaces) {
  if (::fcntl(fd, F_GETFD) < 0) return fail(ErrorCode::kInvalidArgument, cat("--root-fd ", fd, ": is not open"));
  if (!namespaces.makes(CLONE_NEWNS)) {
    return fail(ErrorCode::kInvalidArgument, "--root-fd: needs a new mount namespace");
  }
  return {};
}

}  // namespace

Result<Bundle> load_bundle(const CreateRequest& request) {
  Bundle bundle;
  bundle.path = TRY_IN("bundle", absolute_path(request.bundle));
  const std::string name = request.config.empty() ? "config.json" : request.config;
  const std::string file = name.front() == '/' ? name : cat(bundle.path, "/", name);
  bundle.text = TRY(read_file(file, kMaxConfigBytes));
  bundle.spec = TRY_IN(file, parse_spec(bundle.text));
  const std::string& root = bundle.spec.root.path;
  bundle.rootfs = TRY_IN("/root/path", absolute_path(root.front() == '/' ? root : cat(bundle.path, "/", root)));
  return bundle;
}

Status check_spec(const Spec& spec, const NamespacePlan& namespaces) {
  if (!spec.process) return fail(ErrorCode::kInvalidArgument, "/process: is required");
  TRY(check_rlimits(spec.process->rlimits));
  TRY(check_process_attributes(*spec.process, spec.linux_part));
  TRY(check_sysctls(spec.linux_part.sysctl, namespaces));
  if (!spec.linux_part.net_devices.empty() && !namespaces.has(CLONE_NEWNET)) {
    return fail(ErrorCode::kInvalidArgument,
                "/linux/netDevices: the container does not have a network namespace of its own");
  }
  if (!spec.hostname.empty() && !namespaces.has(CLONE_NEWUTS)) {
    return fail(ErrorCode::kInvalidArgument, "/hostname: the container does not have a uts namespace of its own");
  }
  if (!spec.domainname.empty() && !namespaces.has(CLONE_NEWUTS)) {
    return fail(ErrorCode::kInvalidArgument, "/domainname: the container does not have a uts namespace of its own");
  }
  if (!namespaces.makes(CLONE_NEWNS) && (!spec.mounts.empty() || spec.process->terminal)) {
    return fail(ErrorCode::kInvalidArgument, "/mounts: mounts and terminals need a new mount namespace");
  }
  return {};
}

Status write_pid_file(const std::string& path, pid_t pid) {
  if (path.empty()) return {};
  return annotate(write_file_atomic(path, cat(pid), 0644), "--pid-file");
}

Result<ContainerRecord> plan_record(const RuntimeOptions& options, const Bundle& bundle, const std::string& id,
                                    const CgroupLayout& layout) {
  const Spec& spec = bundle.spec;
  ContainerRecord record;
  record.id = id;
  record.oci_version = spec.oci_version;
  record.bundle = bundle.path;
  record.rootfs = bundle.rootfs;
  record.created = to_rfc3339(SystemClock().now());
  record.owner_uid = ::geteuid();
  record.annotations = spec.annotations;
  record.cgroup = TRY(plan_cgroup(layout, options.cgroup_manager, spec.linux_part.cgroups_path, id));
  TRY(check_unused(record.cgroup));
  return record;
}

Status Creation::claim_name(const CreateRequest& request) {
  dir_ = TRY(store_.claim(request.id));
  rollback_.add([this] {
    (void)remove_intel_rdt(record_.intel_rdt_group);
    (void)dir_->remove();
  });
  layout_ = TRY(read_cgroup_layout());
  record_ = TRY(plan_record(options_, bundle_, request.id, layout_));
  const std::string rdt_group = TRY(plan_intel_rdt(bundle_.spec.linux_part, request.id));
  // A class that was there before belongs to somebody else.
  if (!rdt_group.empty() && !sys::exists(rdt_group)) record_.intel_rdt_group = rdt_group;
  TRY(dir_->save(record_));
  return dir_->save_spec(bundle_.text);
}

Status Creation::make_plan(const CreateRequest& request, StartBy start_by, Fd console) {
  const Spec& spec = bundle_.spec;
  TRY(check_preserved(request.preserve_fds));
  if (request.root_fd >= 0) TRY(check_root_fd(request.root_fd, namespaces_));
  plan_.id = request.id;
  plan_.lock_fd = dir_->lock_fd();
  plan_.spec = &spec;
  plan_.rootfs = bundle_.rootfs;
  plan_.root_fd = request.root_fd;
  plan_.namespaces = &namespaces_;
  plan_.layout = &layout_;
  plan_.record = &record_;
  plan_.cgroup = &record_.cgroup;
  plan_.door = &door_;
  plan_.preserved_fds = request.preserve_fds;
  plan_.root_switch = request.no_pivot ? RootSwitch::kMoveMount : RootSwitch::kPivot;
  plan_.new_keyring = !request.no_new_keyring;
  plan_.console_socket = std::move(console);
  // In a new user namespace the process holds every capability over what that namespace owns.
  const auto own = TRY(own_capabilities());
  const bool in_user_namespace = namespaces_.has(CLONE_NEWUSER);
  plan_.capabilities = plan_capabilities(spec.process->capabilities.value_or(Capabilities{}),
                                         in_user_namespace ? ~CapabilityMask{0} : own.permitted & own.bounding);
  for (const auto& warning : plan_.capabilities.warnings) options_.warn(warning);
  if (spec.linux_part.seccomp) {
    plan_.seccomp = TRY(seccomp_filter(*spec.linux_part.seccomp, store_.root() + "/.seccomp"));
  }
  plan_.mounts = TRY(prepare_mounts(spec, in_user_namespace && ::geteuid() == 0));
  plan_.disguise = TRY(make_disguise());
  if (start_by == StartBy::kCommand) plan_.start_listener = TRY(unix_listen(dir_->start_socket(), 0600, 1));
  return {};
}

Status Creation::make_groups() {
  rollback_.add([this] { (void)remove_cgroup(record_.cgroup); });
  TRY(make_cgroup(layout_, record_.cgroup, bundle_.spec.linux_part.resources, placeholder_));
  door_ = TRY(open_cgroup(record_.cgroup));
  return {};
}

// Before any hook and before the program. The process may not have joined a namespace by path yet: the path's own.
Status Creation::move_net_devices() {
  const auto& devices = bundle_.spec.linux_part.net_devices;
  if (devices.empty()) return {};
  const auto joined = std::ranges::find(namespaces_.joined, CLONE_NEWNET, &JoinedNamespace::type);
  auto netns = joined == namespaces_.joined.end() ? sys::open(cat("/proc/", launched_.pid, "/ns/net"), O_RDONLY)
                                                  : sys::dup(joined->fd.get());
  // Who has ended by now has no namespaces any more, and says why.
  if (!netns) TRY(wait_until_ready(launched_, plan_));
  if (!netns) return fail(std::move(netns).error());
  rollback_.add([this] { net_devices_.move_back(); });
  return net_devices_.move_in(devices, std::move(*netns));
}

Status Creation::make_process(const CreateRequest& request) {
  launched_ = TRY(launch(plan_));
  placeholder_.end();
  rollback_.add([this] { abandon(launched_); });
  record_.pid = launched_.pid;
  record_.pid_start_time = TRY(process_start_time(launched_.pid));
  TRY(dir_->save_born(record_));
  if (const auto& rdt = bundle_.spec.linux_part.intel_rdt) {
    TRY(enter_intel_rdt(*rdt, TRY(plan_intel_rdt(bundle_.spec.linux_part, record_.id)), launched_.pid));
  }
  TRY(move_net_devices());
  if (!starts_at_once(plan_)) {
    TRY(wait_until_ready(launched_, plan_));
    return write_pid_file(request.pid_file, launched_.pid);
  }
  rollback_.add([path = request.pid_file] {
    if (!path.empty()) (void)sys::unlink(path);
  });
  TRY(write_pid_file(request.pid_file, launched_.pid));
  // Who has ended by now says why.
  if (!send_go(launched_.status.get())) return wait_until_ready(launched_, plan_);
  return {};
}

Status Creation::prepare(const CreateRequest& request, StartBy start_by, Fd console) {
  namespaces_ = TRY(plan_namespaces(bundle_.spec.linux_part));
  TRY(check_spec(bundle_.spec, namespaces_));
  TRY(claim_name(request));
  TRY(make_plan(request, start_by, std::move(console)));
  TRY(make_groups());
  return make_process(request);
}

Status Creation::go() {
  if (!starts_at_once(plan_)) TRY(send_go(launched_.status.get()));
  const auto& seccomp = bundle_.spec.linux_part.seccomp;
  return wait_until_executed(launched_, bundle_.spec.process->args.front(),
                             {seccomp ? &*seccomp : nullptr, &record_, ContainerStatus::kCreated, launched_.pid});
}

}  // namespace skerry::oci
