// What a guest is told at the end of a start: who it is, what time it is, and bytes of the host's random pool.
#pragma once

#include "base/result.h"
#include "drivers/driver.h"
#include "wire/agent_protocol.h"

namespace skerry::qemu {

// A parked guest boots with this document.
Result<wire::AgentRequest> boot_request(const wire::BootDocument& document);
// A parked guest goes through the motions with this one; a document without a network for one without a network card.
Result<wire::AgentRequest> rehearsal_request(bool with_network);
// A guest that goes on learns the time; one that is somebody else by now (Launch::saved) learns who it is.
Result<wire::AgentRequest> identity_request(const Launch& launch);

}  // namespace skerry::qemu
