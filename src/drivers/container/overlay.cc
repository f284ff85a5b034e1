#include "drivers/container/overlay.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <ranges>

#include "base/rollback.h"
#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "base/sys_namespace.h"
#include "base/text.h"

namespace skerry {
namespace {

// mount(2) takes one page of options.
constexpr std::size_t kMaxOptions = 4095;
// A target should carry one mount; more than this many on top of each other is not ours to untangle.
constexpr int kMaxStacked = 64;

// In the option text ':' separates lower directories and ',' options.
std::string escaped(std::string_view path) {
  std::string out;
  for (const char c : path) {
    if (c == '\\' || c == ':' || c == ',') out += '\\';
    out += c;
  }
  return out;
}

// The first lower directory of the option is the topmost one.
std::string options_of(const OverlaySpec& spec) {
  std::string lower;
  for (const auto& dir : std::views::reverse(spec.lower)) lower += cat(lower.empty() ? "" : ":", escaped(dir));
  return cat("lowerdir=", lower, ",upperdir=", escaped(spec.upper), ",workdir=", escaped(spec.work),
             spec.throw_away ? ",volatile" : "");
}

// One layer at a time (since Linux 6.8): no limit on their number.
Result<Fd> mount_by_layers(const OverlaySpec& spec) {
  const Fd context = TRY(sys::fsopen("overlay"));
  for (const auto& dir : std::views::reverse(spec.lower)) {
    TRY(sys::fsconfig_string(context.get(), "lowerdir+", dir));
  }
  TRY(sys::fsconfig_string(context.get(), "upperdir", spec.upper));
  TRY(sys::fsconfig_string(context.get(), "workdir", spec.work));
  if (spec.throw_away) TRY(sys::fsconfig_flag(context.get(), "volatile"));
  TRY(sys::fsconfig_create(context.get()));
  return sys::fsmount(context.get(), MOUNT_ATTR_NODEV);
}

}  // namespace

Result<Fd> make_overlay_by_options(const OverlaySpec& spec) {
  const std::string options = options_of(spec);
  if (options.size() > kMaxOptions) {
    return fail(ErrorCode::kUnsupported,
                "this kernel takes fewer layers, or shorter paths to them (Linux 6.8 takes any)");
  }
  TRY(sys::mount("overlay", spec.scratch, "overlay", MS_NODEV, options));
  Rollback undo;
  undo.add([&] { static_cast<void>(unmount(spec.scratch)); });
  TRY(sys::mount("", spec.scratch, "", MS_PRIVATE));
  return sys::clone_mount(AT_FDCWD, spec.scratch, sys::Recursion::kNone);
}

Result<Fd> make_overlay(const OverlaySpec& spec) {
  TRY(sys::mkdir_all(spec.upper, 0755));
  TRY(sys::mkdir_all(spec.work, 0700));
  if (spec.throw_away) {
    // The mark of a volatile overlay that was not unmounted in order, after which the kernel refuses to mount it.
    TRY(sys::remove_tree(spec.work + "/work"));
  }
  auto made = mount_by_layers(spec);
  if (!made && made.error().sys_errno == EINVAL) made = make_overlay_by_options(spec);
  if (made) return made;
  Error error = std::move(made).error();
  if (error.sys_errno == EINVAL || error.sys_errno == ENODEV) {
    error.code = ErrorCode::kUnsupported;
    if (error.hint.empty()) {
      error.hint = error.sys_errno == ENODEV ? "the kernel has no overlayfs: modprobe overlay"
                                             : "the state directory must be on a file system that overlayfs can write "
                                               "to (ext4, xfs, btrfs, tmpfs)";
    }
  }
  return fail(std::move(error).in("mount the root file system"));
}

Status unmount(const std::string& target) {
  for (int i = 0; i < kMaxStacked; ++i) {
    auto done = sys::umount(target, MNT_DETACH | UMOUNT_NOFOLLOW);
    if (done) continue;
    const int why = done.error().sys_errno;
    if (why == EINVAL || why == ENOENT) return {};
    return done;
  }
  return fail(ErrorCode::kConflict, cat("umount ", target, ": mounted again and again"));
}

}  // namespace skerry
