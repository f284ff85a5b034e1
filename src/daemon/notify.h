// Tells the service manager that we are ready (sd_notify(3)): a datagram to $NOTIFY_SOCKET. Without one it does
// nothing.
#pragma once

#include <string_view>

#include "base/result.h"

namespace skerry {

// `state`: "READY=1", "STOPPING=1".
Status notify_service_manager(std::string_view state);

}  // namespace skerry
