// Whether a port of the host may be published.
#pragma once

#include "base/result.h"
#include "core/environment.h"

namespace skerry::network {

// A published port is taken over before it reaches any socket, so a program of the host that listens on it would be cut
// off in silence. kConflict when one does; kInvalidArgument when the host has no such address. Only a look: what binds
// the port later is shadowed.
Status check_host_port(const PublishedPort& port);

}  // namespace skerry::network
