// Rehearsal: a parked guest goes through the motions of becoming an environment, so that the real ones are quick. What
// they touch is in memory then, and where the machine is emulated, its translation too.
#pragma once

#include "base/result.h"
#include "wire/agent_protocol.h"

namespace skerry::agent {

// With a placeholder's `document` and `identity`, in the entered root (boot.h, Unparked::layer). Nothing of it stays
// but the random seed and the clock: no address, no file, no process. Fails where the real thing would.
Status rehearse(const wire::AgentRequest& request);

}  // namespace skerry::agent
