#include "agent/shares.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <tuple>

#include "base/sys_file.h"
#include "base/sys_namespace.h"
#include "base/text.h"

namespace skerry::agent {
namespace {

constexpr const char* kPlace = "/dev/.skerry-shares";
constexpr const char* kTag = "skerry";  // drivers/qemu/share_jail.h, kShareTag

Status make_target(const std::string& target, bool directory) {
  if (sys::exists(target)) return {};
  if (directory) return sys::mkdir_all(target, 0755);
  TRY(sys::mkdir_all(target.substr(0, target.rfind('/') + 1), 0755));
  TRY(sys::open(target, O_WRONLY | O_CREAT, 0644));
  return {};
}

}  // namespace

bool has_shares(const wire::BootDocument& document) {
  return document.root.mode == wire::RootMode::kShare ||
         std::ranges::any_of(document.mounts, [](const auto& mount) { return mount.type == "share"; });
}

Status mount_shares() {
  TRY(sys::mkdir_all(kPlace, 0700));
  return annotate(sys::mount(kTag, kPlace, "virtiofs", 0), "directories of the host");
}

void unmount_shares() {
  std::ignore = sys::umount(kPlace, MNT_DETACH);
  ::rmdir(kPlace);
}

Status bind_share(std::string_view name, const std::string& target, bool read_only, std::uint64_t flags) {
  const std::string source = cat(kPlace, "/", name);
  const auto info = TRY(sys::stat(source));
  TRY(make_target(target, S_ISDIR(info.st_mode)));
  TRY(sys::mount(source, target, {}, MS_BIND));
  if (read_only) flags |= MS_RDONLY;
  if (flags == 0) return {};
  return sys::mount({}, target, {}, MS_REMOUNT | MS_BIND | flags);
}

}  // namespace skerry::agent
