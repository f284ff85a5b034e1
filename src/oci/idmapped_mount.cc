#include "oci/idmapped_mount.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <csignal>

#include "base/rollback.h"
#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "base/sys_process.h"
#include "base/text.h"
#include "oci/id_maps.h"

namespace skerry::oci {

Result<Fd> make_user_namespace(const std::vector<IdMapping>& uids, const std::vector<IdMapping>& gids) {
  // The namespace needs a process until somebody holds a descriptor of it.
  const auto holder = TRY_IN("make a user namespace", sys::clone({CLONE_NEWUSER, -1}));
  if (holder.pid == 0) {
    for (;;) ::pause();
  }
  Rollback rollback;
  rollback.add([&] {
    ::kill(holder.pid, SIGKILL);
    (void)sys::wait_pid(holder.pid);
  });
  TRY(write_id_maps(holder.pid, uids, gids));
  return sys::open(cat("/proc/", holder.pid, "/ns/user"), O_RDONLY);
}

Status map_mount_ids(int tree, const Mount& mount, const MountOptions& options, const Linux& linux_part) {
  const bool own = !mount.uid_mappings.empty();
  const auto& uids = own ? mount.uid_mappings : linux_part.uid_mappings;
  const auto& gids = own ? mount.gid_mappings : linux_part.gid_mappings;
  if (uids.empty()) return fail(ErrorCode::kInvalidArgument, "options: idmap needs uidMappings and gidMappings");
  const Fd user_namespace = TRY(make_user_namespace(uids, gids));
  struct mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<std::uint64_t>(user_namespace.get());
  return annotate(sys::mount_setattr(tree, attributes,
                                     options.recursive_idmap ? sys::Recursion::kSubmounts : sys::Recursion::kNone),
                  "idmap");
}

}  // namespace skerry::oci
