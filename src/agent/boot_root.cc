// Stage 1: the root disk.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <tuple>

#include "agent/boot.h"
#include "agent/disks.h"
#include "agent/shares.h"
#include "base/sys_file.h"
#include "base/sys_namespace.h"
#include "base/text.h"

namespace skerry::agent {
namespace {

constexpr const char* kLower = "/skerry/lower";
constexpr const char* kUpper = "/skerry/upper";
constexpr const char* kNewRoot = "/skerry/root";
constexpr const char* kRootShare = "0";

// A disk file system that was in use when the power went must replay its journal: only erofs and squashfs are truly
// read-only, the others are mounted so with their journal left alone.
Status mount_disk(std::string_view serial, const std::string& target, bool read_only) {
  const std::string device = TRY(find_disk(serial));
  const std::string type = TRY(detect_filesystem(device));
  TRY(sys::mkdir_all(target, 0755));
  std::string options;
  if (read_only && type == "ext4") options = "noload";
  if (read_only && type == "xfs") options = "norecovery";
  return sys::mount(device, target, type, (read_only ? MS_RDONLY : 0) | MS_NOATIME, options);
}

// The descriptor of the persistent writable layer, or none when it is in memory.
Result<Fd> mount_upper() {
  auto mounted = mount_disk("overlay", kUpper, false);
  Fd layer;
  if (mounted) {
    layer = TRY(sys::open(kUpper, O_RDONLY | O_DIRECTORY));
  } else if (mounted.error().code == ErrorCode::kNotFound) {
    TRY(sys::mkdir_all(kUpper, 0755));
    TRY(sys::mount("tmpfs", kUpper, "tmpfs", 0, "mode=0755"));
  } else {
    return fail(std::move(mounted).error());
  }
  TRY(sys::mkdir_all(cat(kUpper, "/upper"), 0755));
  TRY(sys::mkdir_all(cat(kUpper, "/work"), 0700));
  return layer;
}

Status mount_base(const wire::GuestRoot& root, const std::string& target, bool read_only) {
  if (root.mode != wire::RootMode::kShare) return annotate(mount_disk("root", target, read_only), "root disk");
  return annotate(bind_share(kRootShare, target, read_only, 0), "root directory");
}

Result<Fd> mount_root(const wire::GuestRoot& root) {
  TRY(sys::mkdir_all(kNewRoot, 0755));
  if (!root.overlay) {
    // A directory is made read-only last of all: what the guest mounts still needs its targets.
    TRY(mount_base(root, kNewRoot, root.read_only && root.mode == wire::RootMode::kDisk));
    return Fd();
  }
  if (!is_mount_point(kLower)) TRY(mount_base(root, kLower, true));
  Fd layer = TRY_IN("overlay disk", mount_upper());
  // The root directory's own mode and owner come from the upper directory.
  const auto lower = TRY(sys::stat(kLower));
  TRY(sys::chmod(cat(kUpper, "/upper"), lower.st_mode & 07777U));
  TRY(sys::chown(cat(kUpper, "/upper"), lower.st_uid, lower.st_gid));
  TRY(sys::mount("overlay", kNewRoot, "overlay", 0,
                 cat("lowerdir=", kLower, ",upperdir=", kUpper, "/upper,workdir=", kUpper, "/work")));
  return layer;
}

Status move_mounts() {
  for (const std::string_view name : {"/proc", "/sys", "/dev"}) {
    const std::string target = cat(kNewRoot, name);
    TRY(sys::mkdir_all(target, 0755));
    TRY(sys::mount(std::string(name), target, "", MS_MOVE));
  }
  return {};
}

// The memory of the initramfs is worth having back. Mount points are left (remove_tree does not cross them).
void drop_initramfs() {
  std::ignore = sys::remove_tree("/lib");
  std::ignore = sys::unlink("/init");
}

Status switch_root() {
  if (::chdir(kNewRoot) < 0) return fail_errno("chdir to the new root");
  // rootfs cannot be pivoted (pivot_root(2)): the new root is moved over it.
  TRY(sys::mount(".", "/", "", MS_MOVE));
  if (::chroot(".") < 0) return fail_errno("chroot to the new root");
  if (::chdir("/") < 0) return fail_errno("chdir /");
  return {};
}

}  // namespace

Status mount_root_disk() { return annotate(mount_disk("root", kLower, true), "root disk"); }

Result<Fd> enter_root_disk(const wire::GuestRoot& root) {
  Fd layer = TRY(mount_root(root));
  TRY(move_mounts());
  drop_initramfs();
  TRY(switch_root());
  return layer;
}

Error re_execute(const Fd& layer) {
  // The link leads to the file itself, though its name went with the initramfs.
  const auto self = sys::open("/proc/self/exe", O_RDONLY);
  if (!self) return self.error();
  if (layer) {
    if (const auto kept = sys::set_cloexec(layer.get(), false); !kept) return kept.error();
  }
  const std::string layer_number = cat(layer.get());
  const char* const argv[] = {"skerry-agent", kStageTwo, layer_number.c_str(), nullptr};
  const char* const env[] = {nullptr};
  ::fexecve(self->get(), const_cast<char* const*>(argv), const_cast<char* const*>(env));
  return Error::last("re-exec in the new root");
}

}  // namespace skerry::agent
