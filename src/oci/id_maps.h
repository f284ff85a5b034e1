// The id maps of a new user namespace (user_namespaces(7)), written from outside.
//
// Root writes them itself. An ordinary user may map only itself; for more it needs newuidmap(1) and newgidmap(1), which
// know /etc/subuid and /etc/subgid.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/oci_spec.h"

namespace skerry::oci {

Status write_id_maps(pid_t pid, const std::vector<IdMapping>& uids, const std::vector<IdMapping>& gids);

// The host's id of `container_id`, nullopt when it is not mapped. Without mappings an id is itself.
std::optional<std::uint32_t> host_id(const std::vector<IdMapping>& mappings, std::uint32_t container_id);

// The lines of uid_map(5): "container host size\n" each.
std::string id_map_text(const std::vector<IdMapping>& mappings);

}  // namespace skerry::oci
