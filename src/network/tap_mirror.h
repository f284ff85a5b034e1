// A network namespace's interface given to a virtual machine: a tap beside it, and everything that comes in on the one
// goes out on the other (tc-mirred(8), as Kata Containers does). The machine has the interface's MAC address and takes
// over its addresses; the namespace's own stack sees nothing any more.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "core/net.h"

namespace skerry::network {

struct MirroredInterface {
  Fd tap;
  std::string name;  // "eth0"
  MacAddress mac;
  Cidr address;                 // IPv4
  std::optional<Ipv4> gateway;  // of the default route
};

// Nothing when the namespace has no interface with an IPv4 address but loopback. kUnsupported: more than one. What
// stood from an earlier machine is replaced.
Result<std::optional<MirroredInterface>> mirror_interface(int netns_fd);
// Gives the interface back to the namespace. Nothing to undo is success.
Status unmirror_interface(int netns_fd);

}  // namespace skerry::network
