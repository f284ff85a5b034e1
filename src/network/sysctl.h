// Kernel settings of the calling thread's network namespace, below /proc/sys/net.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace skerry::network {

// `name` with slashes: "ipv4/ip_forward". Writes only when the value differs, so that a read-only /proc/sys with the
// right value is enough.
Status set_sysctl(const std::string& name, std::string_view value);

}  // namespace skerry::network
