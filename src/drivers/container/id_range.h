// User namespaces of containers: which ids of the host stand for those inside, and mounts seen through that mapping
// (user_namespaces(7), mount_setattr(2) "ID-mapped mounts"), so that files keep their owners on disk.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "drivers/container/container_spec.h"

namespace skerry {

// The container's range within 1879048192–2147483647, which the usual assignment of ids leaves unused
// (systemd.io/UIDS-GIDS). By the address where there is one, so that neighbours in a subnet of up to /20 never share a
// range, else by the id; two that share one are still apart in every other way.
IdRange id_range_for(const std::string& environment_id, const std::string& address);

// A user namespace with that mapping. It lives as long as the descriptor, without any process in it.
Result<Fd> make_user_namespace(const IdRange& ids);

// Mounts `source` on the existing directory `target` so that owner 0 on disk is ids.first, and so on.
// kUnsupported when the file system cannot.
Status mount_idmapped(const std::string& source, const std::string& target, int user_namespace);

// Runs `work` on a thread of its own that touches files as the container's root would (fsuid ids.first, setfsuid(2)),
// with all capabilities of ours. Who makes a file through an ID-mapped mount must be somebody in there.
Status run_as_container_root(const IdRange& ids, const std::function<Status()>& work);

}  // namespace skerry
