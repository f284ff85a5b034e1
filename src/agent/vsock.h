// The agent's channel over vsock (vsock(7)), where the VMM has no virtio port to offer: "skerry.channel=vsock:PORT".
#pragma once

#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"

namespace skerry::agent {

// PORT of "vsock:PORT". kInvalidArgument for anything else.
Result<std::uint32_t> parse_vsock_channel(std::string_view text);

// A connection to that port of the host, non-blocking. Tries for `patience`: the device may not be there yet.
Result<Fd> connect_to_host(std::uint32_t port, Duration patience);

}  // namespace skerry::agent
