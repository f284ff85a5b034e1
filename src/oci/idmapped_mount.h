// Idmapped mounts: files show other owners through this mount than on disk (mount_setattr(2), MOUNT_ATTR_IDMAP).
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "oci/mount_options.h"
#include "wire/oci_spec.h"

namespace skerry::oci {

// Maps a detached mount with its own mappings or, when it has none, with those of the container's user namespace.
Status map_mount_ids(int tree, const Mount& mount, const MountOptions& options, const Linux& linux_part);

// A user namespace that only exists to carry id maps.
Result<Fd> make_user_namespace(const std::vector<IdMapping>& uids, const std::vector<IdMapping>& gids);

}  // namespace skerry::oci
