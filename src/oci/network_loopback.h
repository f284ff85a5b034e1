// The loopback interface of a new network namespace.
#pragma once

#include "base/result.h"

namespace skerry::oci {

// Sets it up; the kernel gives it 127.0.0.1 and ::1 by itself.
Status bring_loopback_up();

}  // namespace skerry::oci
