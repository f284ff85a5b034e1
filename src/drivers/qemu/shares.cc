#include "drivers/qemu/shares.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/sys_file.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "drivers/qemu/jail_parts.h"

namespace skerry::qemu {
namespace {

constexpr std::uint64_t kMostFiles = 1U << 19U;

// As many as we may give: root without CAP_SYS_RESOURCE cannot raise its own limit.
std::uint64_t most_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) < 0) return 1024;
  return std::min<std::uint64_t>(limit.rlim_max, kMostFiles);
}

}  // namespace

EnvironmentPlace shares_place(const EnvironmentPlace& place) {
  const std::string dir = place.run_dir + "/shares";
  return {place.id + "-shares", place.name + " (shares)", dir, dir};
}

bool has_shares(const EnvironmentPlace& place) { return sys::exists(shares_place(place).run_dir); }

Result<oci::Mount> share_of(const BindMount& mount) {
  const auto info = TRY(sys::stat(mount.source));
  if (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode)) {
    return fail(ErrorCode::kUnsupported, cat(mount.source, ": a microVM sees directories and files of the host only"),
                "use --isolation container");
  }
  // rro: also what is mounted below the source.
  const char* access = mount.read_only ? "rro" : "rw";
  return oci::Mount{{}, "bind", mount.source, {"rbind", "rprivate", access, "nodev"}, {}, {}};
}

Result<Fd> start_shares(Jail& jail, const EnvironmentPlace& place, ShareJailInputs inputs) {
  if (!sys::exists(inputs.program)) {
    return fail(ErrorCode::kUnsupported, cat("directories of the host in a microVM need ", inputs.program),
                "install qemu-system-common, or use --isolation container");
  }
  const auto own = shares_place(place);
  TRY(sys::mkdir_all(own.run_dir, 0700));
  inputs.rootfs = own.run_dir + "/root";
  inputs.most_files = most_files();
  TRY(make_jail_root(inputs.rootfs));
  TRY(sys::mkdir_all(inputs.rootfs + "/share", 0755));
  const std::string path = own.run_dir + "/vhost.sock";
  const Fd listener = TRY(unix_listen(path, 0600, 1));
  Fd ours = TRY(unix_connect(path));
  TRY(sys::unlink(path));  // nobody else
  JailSpec jailed;
  jailed.config = share_jail(inputs);
  jailed.fds.push_back({listener.get(), inputs.listener_fd});
  TRY_IN("serve the mounts", jail.run(own, jailed, false));
  return ours;
}

Result<KeeperCompanion> share_server(const EnvironmentPlace& place) {
  const auto pids = TRY_IN("the server of the mounts", read_keeper_pids(shares_place(place).run_dir));
  return KeeperCompanion{kShareServer, pids.main, pids.main_start};
}

Status stop_shares(const Jail& jail, const EnvironmentPlace& place) { return jail.remove(shares_place(place)); }

}  // namespace skerry::qemu
