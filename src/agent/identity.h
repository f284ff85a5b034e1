// Becoming another guest than the one a memory snapshot was taken of: everything that no two forks may share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/agent_protocol.h"

namespace skerry::agent {

// Mixes `seed` into the kernel's random pool, credits it, and makes every generator start anew (random(4),
// RNDADDENTROPY and RNDRESEEDCRNG). Without it two forks would draw the same keys.
Status reseed_random(std::string_view seed);
// Sets the wall clock; 0 leaves it.
Status set_wall_clock(std::int64_t ns_since_epoch);

// All of it: random pool first (what follows may draw from it), clock, host name, machine-id, MAC and addresses, SSH
// host keys. The first failure ends it: a guest that is half another one must not go on.
Status become(const wire::GuestIdentity& identity);

}  // namespace skerry::agent
