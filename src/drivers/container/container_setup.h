// What a container needs of the host before its jail is made: root file system, network namespace, files for /etc.
// Each step can be repeated. What it makes in the kernel hangs on a descriptor alone until the container has it:
// whoever is killed in between leaves files only, and the host's table of mounts does not grow with the containers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "drivers/container/container_spec.h"
#include "drivers/container/spare_network.h"
#include "drivers/driver.h"
#include "network/netns.h"

namespace skerry {

struct RootFs {
  std::string path;  // where it is, or where `mount` is to be put
  Fd mount;          // detached (base/sys_mount.h); unset: what lies at `path`
  // Where this process sees it, as long as this lives.
  [[nodiscard]] std::string seen() const;
};
// Makes the root file system: the overlay, or launch.spec.rootfs_path itself for an app. `image_layers`: bottom first;
// unused with rootfs_path. With `ids` its owner 0 is ids->first to the host, though not on disk.
Result<RootFs> make_rootfs(const Launch& launch, const std::vector<std::string>& image_layers,
                           const std::optional<IdRange>& ids);
// What a killed make_rootfs() may have left mounted, on a kernel that cannot make an overlay without a place
// (before 6.8).
Status remove_rootfs(const EnvironmentPlace& place);
// The writable layer of what does not keep it.
Status drop_layer(const EnvironmentPlace& place);

// A network namespace as containers have it, with loopback. It ends with its last descriptor or process.
Result<network::NewNetns> make_netns();
// The spare one of these, with eth0 when launch.network is set.
Result<Fd> make_network(const Launch& launch, SpareNetwork& spare);

// hosts, hostname and resolv.conf; they belong to root inside.
Status write_etc(const Launch& launch, const std::optional<IdRange>& ids);

// In a user namespace the container's root is nobody special on the host: lets its group through state_dir and run_dir,
// and checks that it gets that far (kPermissionDenied names the directory that is in the way).
Status let_through(const EnvironmentPlace& place, const IdRange& ids);

// What binds name must be there: kNotFound with the field's name.
Status check_bind_sources(const EnvironmentSpec& spec);

}  // namespace skerry
