// Intel Resource Director Technology: the container's group below /sys/fs/resctrl (config-linux.md "IntelRdt").
#pragma once

#include <string>

#include "base/result.h"
#include "wire/oci_spec.h"

namespace skerry::oci {

// Where the group will be; "" when the configuration has none. kUnsupported when resctrl is not mounted.
Result<std::string> plan_intel_rdt(const Linux& linux_part, const std::string& id);
// Makes the group (an existing one must carry the same schemata), writes the schemata and moves the process in.
Status enter_intel_rdt(const IntelRdt& rdt, const std::string& group, pid_t pid);
// Removes a group that was made for the container. "" is fine.
Status remove_intel_rdt(const std::string& group);

}  // namespace skerry::oci
