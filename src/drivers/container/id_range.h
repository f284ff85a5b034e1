// User namespaces of containers: which ids of the host stand for those inside, and mounts seen through that mapping
// (user_namespaces(7), mount_setattr(2) "ID-mapped mounts"), so that files keep their owners on disk.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "drivers/container/container_spec.h"
#include "drivers/driver.h"

namespace skerry {

// A range for the run within 0x70000000–0x7FFFFFFF, which the usual assignment of ids leaves unused
// (systemd.io/UIDS-GIDS) and the microVMs' own ids lie below of (drivers/qemu/vmm_jail.h). No two runs have the same:
// the choice is written to `place.run_dir`, which exists, and lasts as long as that does. It begins at what the address
// says, or the id, so that a restart mostly finds its range again. kResourceExhausted when all 4096 are taken.
Result<IdRange> claim_id_range(const EnvironmentPlace& place, const std::string& address);

// A user namespace with that mapping. It lives as long as the descriptor, without any process in it.
Result<Fd> make_user_namespace(const IdRange& ids);

// A detached mount of `source` (base/sys_mount.h) in which owner 0 on disk is ids.first, and so on. kUnsupported when
// the file system cannot.
Result<Fd> make_idmapped(const std::string& source, int user_namespace);

// Runs `work` on a thread of its own that touches files as the container's root would (fsuid ids.first, setfsuid(2)),
// with all capabilities of ours. Who makes a file through an ID-mapped mount must be somebody in there.
Status run_as_container_root(const IdRange& ids, const std::function<Status()>& work);

}  // namespace skerry
