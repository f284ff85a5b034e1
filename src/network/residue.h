// What a killed daemon left behind. Adoption clears it: everything that carries our names and that no living
// environment owns.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/result.h"

namespace skerry::network {

// The network devices on the bridge, or without any bridge, that carry this bridge's port prefix. Sorted.
Result<std::vector<std::string>> list_ours(const std::string& bridge);

// Deletes those that belong to none of the `live` environments (ids). A tap that a VMM still holds is deleted too: its
// guest loses the network at once. The first failure is reported after all have been tried.
Status remove_stale(const std::string& bridge, const std::set<std::string>& live);

// The same for namespace files made by create_netns() in `directory`: removes those whose name is not in `live`. A
// missing directory is success.
Status remove_stale_netns(const std::string& directory, const std::set<std::string>& live);

}  // namespace skerry::network
