// LinuxRuntime::restore: a container from the images of a checkpoint, by CRIU.
//
// As with a creation, the record is saved before anything exists: a restore that is killed is covered by it. CRIU works
// inside the container's own cgroups, so that whatever it has made so far is found there.
#include <fcntl.h>
#include <sys/stat.h>

#include <csignal>

#include "base/file_io.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "base/sys_namespace.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "oci/checkpoint_images.h"
#include "oci/console_socket.h"
#include "oci/creation.h"
#include "oci/criu.h"
#include "oci/criu_options.h"
#include "oci/foreground.h"
#include "oci/hooks.h"
#include "oci/linux_runtime.h"
#include "oci/safe_path.h"

namespace skerry::oci {
namespace {

constexpr const char* kLog = "restore.log";

class Restoration {
 public:
  Restoration(const RuntimeOptions& options, const StateStore& store, Bundle bundle)
      : options_(options), store_(store), bundle_(std::move(bundle)) {}

  Status run(const RestoreRequest& request, const Fd& console) {
    TRY(claim(request.run.create.id));
    TRY(make_groups());
    TRY(mount_root());
    TRY(drive_criu(request.images, console));
    TRY(save_process(launched_.pid));
    launched_.pidfd = TRY(open_pidfd(launched_.pid));
    TRY(write_pid_file(request.run.create.pid_file, launched_.pid));
    unmount_root();
    TRY(dir_->publish_born());
    rollback_.commit();
    dir_->unlock();
    return {};
  }

  [[nodiscard]] const Launched& launched() const { return launched_; }
  [[nodiscard]] const ContainerRecord& record() const { return record_; }

 private:
  const Spec& spec() const { return bundle_.spec; }

  Status claim(const std::string& id) {
    dir_ = TRY(store_.claim(id));
    rollback_.add([this] { (void)dir_->remove(); });
    layout_ = TRY(read_cgroup_layout());
    record_ = TRY(plan_record(options_, bundle_, id, layout_));
    TRY(dir_->save(record_));
    return dir_->save_spec(bundle_.text);
  }

  Status make_groups() {
    rollback_.add([this] {
      (void)signal_cgroup(record_.cgroup, SIGKILL);
      (void)remove_cgroup(record_.cgroup);
    });
    return make_cgroup(layout_, record_.cgroup, spec().linux_part.resources, placeholder_);
  }

  // CRIU wants the root to be a mount of its own, private, with the targets of all mounts in it.
  Status mount_root() {
    const Fd place = TRY_IN("/root/path", sys::open(bundle_.rootfs, O_PATH | O_DIRECTORY));
    const Fd tree = TRY_IN("/root/path", sys::clone_mount(place.get(), "", sys::Recursion::kSubmounts));
    struct mount_attr attributes{};
    attributes.propagation = MS_PRIVATE;
    TRY(sys::mount_setattr(tree.get(), attributes, sys::Recursion::kSubmounts));
    TRY(sys::mkdir(dir_->restore_root(), 0700));
    const Fd target = TRY(sys::open(dir_->restore_root(), O_PATH | O_DIRECTORY));
    TRY_IN("mount the root for CRIU", sys::attach_mount(tree.get(), target.get()));
    rollback_.add([this] { unmount_root(); });
    for (std::size_t i = 0; i < spec().mounts.size(); ++i)
      TRY_IN(cat("/mounts/", i), make_target(tree.get(), spec().mounts[i]));
    return {};
  }

  static Status make_target(int root_fd, const Mount& mount) {
    const auto source = sys::stat(mount.source);
    const bool file = mount.type != "proc" && mount.type != "sysfs" && source && !S_ISDIR(source->st_mode);
    TRY(make_in_root(root_fd, mount.destination, file ? MissingTarget::kFile : MissingTarget::kDirectory));
    return {};
  }

  void unmount_root() const {
    (void)sys::umount(dir_->restore_root(), MNT_DETACH | UMOUNT_NOFOLLOW);
    (void)sys::rmdir(dir_->restore_root());
  }

  Status drive_criu(const CheckpointRequest& request, const Fd& console) {
    Rollback made;
    const ImageDirectories places = TRY(open_image_directories(request, *dir_, made));
    outside_ =
        TRY_IN("images", parse_checkpoint_record(TRY(read_file(cat(places.images_path, "/", kCheckpointRecord)))));
    CriuOptions options = TRY(criu_options(request, places, spec()));
    options.log_file = kLog;
    options.root = dir_->restore_root();
    options.restore_sibling = true;
    const Inherited inherited = TRY(supply_outside(outside_, spec(), options));
    for (const auto& directory : record_.cgroup.directories) add_cgroup_root(directory, options);
    Criu criu = TRY(Criu::start({inherited.numbers, spec().process->no_new_privileges}));
    TRY(move_into_cgroup(record_.cgroup, criu.pid()));
    placeholder_.end();
    const auto answer = criu.request(
        CriuRequest::kRestore, options, cat(places.own_work_path, "/", kLog),
        [&](const CriuAnswer& stage, const Fd& descriptor) { return at_stage(stage, descriptor, console); });
    keep_logs(places, kLog);
    if (!answer) return fail(answer.error());
    launched_.pid = answer->restored_pid;
    rollback_.add([this] { abandon(launched_); });
    return {};
  }

  // The groups it was in become the ones it has now.
  void add_cgroup_root(const CgroupRecord::Directory& directory, CriuOptions& options) const {
    if (is_unified(directory) && layout_.is_pure_v2()) {
      options.cgroup_roots.emplace_back("", directory.path.substr(layout_.unified->mount_point.size()));
      return;
    }
    for (const auto& controller : directory.controllers) {
      const auto* hierarchy = layout_.find_v1(controller);
      if (hierarchy == nullptr) continue;
      options.cgroup_roots.emplace_back(controller, directory.path.substr(hierarchy->mount_point.size()));
    }
  }

  Status at_stage(const CriuAnswer& stage, const Fd& descriptor, const Fd& console) {
    if (stage.notify_script == "orphan-pts-master" && console && descriptor) {
      return annotate(send_with_fds(console.get(), "/dev/pts/ptmx", {descriptor.get()}), "hand over the terminal");
    }
    // Everything is restored, nothing runs yet.
    if (stage.notify_script == "post-restore") return protect_outside(outside_, record_.pid);
    if (stage.notify_script != "setup-namespaces") return {};
    TRY(save_process(stage.notify_pid));
    const auto state = state_document(record_, ContainerStatus::kCreating);
    TRY(run_hooks(spec().hooks.prestart, "prestart", state));
    return run_hooks(spec().hooks.create_runtime, "createRuntime", state);
  }

  Status save_process(pid_t pid) {
    record_.pid = pid;
    record_.pid_start_time = TRY(process_start_time(pid));
    return dir_->save_born(record_);
  }

  const RuntimeOptions& options_;
  const StateStore& store_;
  Bundle bundle_;
  std::optional<StateDir> dir_;
  ContainerRecord record_;
  CgroupLayout layout_;
  CheckpointRecord outside_;
  Placeholder placeholder_;
  Launched launched_;
  Rollback rollback_;
};

Status check_restorable(const Spec& spec) {
  if (!spec.process) return fail(ErrorCode::kInvalidArgument, "/process: is required");
  if (spec.linux_part.intel_rdt) {
    return fail(ErrorCode::kUnsupported, "/linux/intelRdt: a restored container cannot be put into a class");
  }
  return {};
}

}  // namespace

Result<int> LinuxRuntime::restore(const RestoreRequest& request) {
  const ForegroundSignals signals;
  Bundle bundle = TRY(load_bundle(request.run.create));
  TRY(check_restorable(bundle.spec));
  const Hooks hooks = bundle.spec.hooks;
  auto console = TRY(open_run_console(bundle.spec, request.run.create.console_socket, request.run.detach));
  Restoration restoration(options_, store_, std::move(bundle));
  TRY(restoration.run(request, console.container_end));
  run_poststart(restoration.record(), hooks);
  if (request.run.detach) return 0;
  const int code = TRY(wait_in_foreground(restoration.launched(), signals, std::move(console.runtime_end)));
  if (!request.run.keep) TRY(remove_after_run(restoration.record(), hooks));
  return code;
}

}  // namespace skerry::oci
