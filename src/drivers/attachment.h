// From the control plane's words for an environment's place in the network to those of network/.
#pragma once

#include "base/result.h"
#include "drivers/driver.h"
#include "network/port.h"

namespace skerry {

// The port of `launch`, which has a network. kInvalidArgument names an address that is none.
Result<network::PortSpec> port_of(const Launch& launch);

}  // namespace skerry
