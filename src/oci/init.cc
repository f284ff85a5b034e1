#include "oci/init.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/sys_namespace.h"
#include "base/sys_process.h"
#include "base/text.h"
#include "oci/devices.h"
#include "oci/hooks.h"
#include "oci/network_loopback.h"
#include "oci/null_device.h"
#include "oci/out_of_memory.h"
#include "oci/own_proc.h"
#include "oci/path_masks.h"
#include "oci/process_entry.h"
#include "oci/safe_path.h"
#include "oci/status_message.h"
#include "oci/terminal.h"

namespace skerry::oci {
namespace {

// Hooks that run before the program are told the pid, which only the runtime knows.
bool needs_pid(const Hooks& hooks) {
  return !hooks.prestart.empty() || !hooks.create_runtime.empty() || !hooks.create_container.empty() ||
         !hooks.start_container.empty();
}

class Init {
 public:
  Init(const InitPlan& plan, int status_fd)
      : plan_(plan), spec_(*plan.spec), namespaces_(*plan.namespaces), status_fd_(status_fd) {}

  Result<void> run() {
    TRY(enter_namespaces());
    TRY(name_host());
    Terminal terminal;
    if (namespaces_.makes(CLONE_NEWNS)) {
      TRY(build_root());
      if (spec_.process->terminal) terminal = TRY(open_terminal());
      TRY(pass_hooks());
      TRY(switch_to_root());
    } else {
      TRY(pass_hooks());
      TRY(change_root());
    }
    return enter_program(terminal);
  }

 private:
  bool in_user_namespace() const { return namespaces_.has(CLONE_NEWUSER); }

  Status enter_namespaces() {
    // Until it is set up the container must not outlive a runtime that dies; what dies later is `delete`'s business.
    TRY(sys::set_parent_death_signal(SIGKILL));
    if (is_abandoned(status_fd_)) return fail(ErrorCode::kCancelled, "the runtime went away");
    // While /proc/self still belongs to us: it is root's as soon as ids change.
    if (const auto& score = spec_.process->oom_score_adj) {
      TRY_IN("/process/oomScoreAdj", write_existing("/proc/self/oom_score_adj", cat(*score)));
    }
    if (namespaces_.makes(CLONE_NEWUSER)) {
      TRY(send_status(status_fd_, StatusKind::kNamespaces));
      TRY(await_go(status_fd_));
    }
    if (in_user_namespace()) {
      // Root of the namespace; the ids of the process itself come at the end.
      TRY(sys::set_gid(0));
      TRY(sys::set_uid(0));
    }
    TRY(sys::set_not_dumpable());
    if (!namespaces_.needs_staging()) TRY(join_namespaces(namespaces_.joined));
    TRY(enter_v1(*plan_.door));
    // Only now: a cgroup namespace takes the group its maker is in as its root.
    if (namespaces_.makes(CLONE_NEWCGROUP)) TRY_IN("new cgroup namespace", sys::unshare(CLONE_NEWCGROUP));
    if (::setsid() < 0 && errno != EPERM) return fail_errno("setsid");
    return {};
  }

  Status name_host() {
    if (!spec_.hostname.empty() && ::sethostname(spec_.hostname.data(), spec_.hostname.size()) < 0) {
      return fail_errno("/hostname: sethostname");
    }
    if (!spec_.domainname.empty() && ::setdomainname(spec_.domainname.data(), spec_.domainname.size()) < 0) {
      return fail_errno("/domainname: setdomainname");
    }
    if (namespaces_.makes(CLONE_NEWNET)) TRY(bring_loopback_up());
    return {};
  }

  Status build_root() {
    ::umask(0);
    root_ = TRY(prepare_rootfs(plan_.rootfs, plan_.root_fd, spec_.linux_part.rootfs_propagation));
    MountContext context;
    context.root_fd = root_.get();
    context.user_namespace = in_user_namespace();
    context.cgroup_namespace = namespaces_.has(CLONE_NEWCGROUP);
    context.new_cgroup_namespace = namespaces_.makes(CLONE_NEWCGROUP);
    context.layout = plan_.layout;
    context.cgroup = plan_.cgroup;
    context.mount_label = spec_.linux_part.mount_label;
    TRY(make_mounts(spec_.mounts, plan_.mounts, context));
    TRY(make_devices(spec_, root_.get(), in_user_namespace()));
    // Made before the root may become read-only; whether it can be entered is found out by entering it.
    (void)make_in_root(root_.get(), spec_.process->cwd, MissingTarget::kDirectory);
    return {};
  }

  Result<Terminal> open_terminal() {
    Terminal terminal = TRY(make_terminal(root_.get(), spec_.process->console_size, spec_.process->user.uid));
    TRY(bind_console(root_.get(), terminal.slave.get()));
    TRY(send_master(plan_.console_socket.get(), terminal));
    terminal.master.reset();
    return terminal;
  }

  Status pass_hooks() {
    const Hooks& hooks = spec_.hooks;
    if (!needs_pid(hooks)) return {};
    TRY(send_status(status_fd_, StatusKind::kHooks));
    record_ = *plan_.record;
    record_.pid = TRY(parse_int<int>(TRY(await_go(status_fd_)), "pid"));
    return run_hooks(hooks.create_container, "createContainer", state_document(record_, ContainerStatus::kCreating));
  }

  Status switch_to_root() {
    null_ = open_replacement_null(root_.get());
    // Before the switch: the cover for files is the host's /dev/null.
    TRY(protect_paths(root_.get(), spec_.linux_part.readonly_paths));
    TRY(mask_paths(root_.get(), spec_.linux_part.masked_paths));
    TRY(switch_root(root_.get(), plan_.root_switch, spec_.linux_part.rootfs_propagation));
    if (!spec_.linux_part.sysctl.empty()) {
      const Fd proc = TRY(mount_own_proc());
      TRY(set_sysctls(proc.get(), spec_.linux_part.sysctl));
    }
    if (spec_.root.readonly) TRY(make_root_readonly(root_.get()));
    root_.reset();
    return {};
  }

  // Without a mount namespace of its own the container only gets another root directory.
  Status change_root() {
    const auto root = sys::open(plan_.rootfs, O_PATH | O_DIRECTORY);
    null_ = open_replacement_null(root ? root->get() : -1);
    if (::chroot(plan_.rootfs.c_str()) < 0) return fail_errno(cat("/root/path: chroot ", plan_.rootfs));
    if (::chdir("/") < 0) return fail_errno("chdir /");
    return {};
  }

  Result<void> enter_program(const Terminal& terminal) {
    ProcessEntry entry;
    entry.process = &*spec_.process;
    entry.linux_part = &spec_.linux_part;
    entry.capabilities = plan_.capabilities;
    entry.seccomp = plan_.seccomp ? &*plan_.seccomp : nullptr;
    entry.status_fd = status_fd_;
    entry.start_listener = plan_.start_listener.get();
    entry.report_ready = !starts_at_once(plan_);
    entry.start_hooks = spec_.hooks.start_container;
    if (!entry.start_hooks.empty()) entry.hook_state = state_document(record_, ContainerStatus::kCreated);
    entry.disguise_fd = plan_.disguise.get();
    entry.preserved_fds = plan_.preserved_fds;
    entry.terminal_slave = terminal.slave.get();
    entry.null = std::move(null_);
    entry.new_keyring = plan_.new_keyring;
    entry.title = cat("skerry-oci init ", plan_.id);
    return enter_process(entry);
  }

  const InitPlan& plan_;
  const Spec& spec_;
  const NamespacePlan& namespaces_;
  int status_fd_;
  Fd root_;
  Fd null_;
  ContainerRecord record_;
};

}  // namespace

bool starts_at_once(const InitPlan& plan) {
  return !plan.start_listener && !plan.namespaces->makes(CLONE_NEWUSER) && !needs_pid(plan.spec->hooks);
}

void run_init(const InitPlan& plan, int status_fd) {
  ::close(plan.lock_fd);
  Init init(plan, status_fd);
  const auto failed = or_out_of_memory([&] { return init.run(); });
  send_failure(status_fd, failed ? Error{} : failed.error());
  ::_exit(failed || failed.error().code != ErrorCode::kCommandNotFound ? 126 : 127);
}

}  // namespace skerry::oci
