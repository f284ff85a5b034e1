// What a container needs of the host before its jail is made: root file system, network namespace, files for /etc.
// Each step can be repeated, and is undone by its counterpart from any half state.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "drivers/container/container_spec.h"
#include "drivers/driver.h"

namespace skerry {

// Makes the root file system and answers where it is: the overlay, or launch.spec.rootfs_path itself for an app.
// `image_layers`: bottom first; unused with rootfs_path. With `ids` its owner 0 is ids->first to the host, though not
// on disk.
Result<std::string> make_rootfs(const Launch& launch, const std::vector<std::string>& image_layers,
                                const std::optional<IdRange>& ids);
Status remove_rootfs(const EnvironmentPlace& place);
// The writable layer of what does not keep it.
Status drop_layer(const EnvironmentPlace& place);

// The network namespace with loopback, and eth0 when launch.network is set.
Status make_network(const Launch& launch);
Status remove_network(const EnvironmentPlace& place);

// hosts, hostname and resolv.conf; they belong to root inside.
Status write_etc(const Launch& launch, const std::optional<IdRange>& ids);

// In a user namespace the container's root is nobody special on the host: lets its group through state_dir and run_dir,
// and checks that it gets that far (kPermissionDenied names the directory that is in the way).
Status let_through(const EnvironmentPlace& place, const IdRange& ids);

// What binds name must be there: kNotFound with the field's name.
Status check_bind_sources(const EnvironmentSpec& spec);

}  // namespace skerry
