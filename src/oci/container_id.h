// The grammar of a container's name: [A-Za-z0-9_+-][A-Za-z0-9_+.-]*, at most 255 characters.
//
// It becomes a directory name and a cgroup name: no slash, never "." or "..".
#pragma once

#include <string_view>

#include "base/result.h"

namespace skerry::oci {

Status check_container_id(std::string_view id);

}  // namespace skerry::oci
