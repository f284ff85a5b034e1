// Kernel settings of the calling thread's network namespace, below /proc/sys/net.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/result.h"

namespace skerry::network {

// `name` with slashes: "ipv4/ip_forward". Writes only when the value differs, so that a read-only /proc/sys with the
// right value is enough.
Status set_sysctl(const std::string& name, std::string_view value);

struct Sysctl {
  std::string_view name;
  std::string_view value;
};
// Several of one directory ("ipv4"), in a namespace that is new: written without a look at what they are. The directory
// is looked up once: the kernel finds it among those of all other namespaces, by comparing one after the other.
Status set_sysctls(const std::string& directory, std::initializer_list<Sysctl> settings);

}  // namespace skerry::network
