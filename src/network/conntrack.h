// The kernel's table of tracked connections (ctnetlink): what address translation has decided for those that are open.
#pragma once

#include <set>

#include "base/result.h"
#include "core/net.h"

namespace skerry::network {

// Forgets every IPv4 connection that one of these addresses answers, in the calling thread's network namespace. Their
// next packet is looked at as a first one: a SYN that nobody has answered finds another endpoint, a datagram too, and
// an open stream gets a reset. A connection that ends meanwhile is no error.
Status forget_connections_to(const std::set<Ipv4>& answering);

}  // namespace skerry::network
