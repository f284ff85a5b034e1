// Resource limits of the process (setrlimit(2)): names, and setting them.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/oci_spec.h"

namespace skerry::oci {

// "RLIMIT_NOFILE" → its number, -1 for an unknown name.
int rlimit_number(std::string_view name);
// kInvalidArgument with the JSON path for unknown and repeated names.
Status check_rlimits(const std::vector<Rlimit>& limits);
Status set_rlimits(const std::vector<Rlimit>& limits);

}  // namespace skerry::oci
