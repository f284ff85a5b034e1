// Which devices a container may use: the list of resources.devices, completed with what every container needs.
#pragma once

#include <string>
#include <vector>

#include "wire/oci_spec.h"

namespace skerry::oci {

// The given rules in their order, then those nobody should have to write: the pseudo devices of the runtime-spec
// ("Default Devices"), terminals, and mknod of anything (making a node gives no access to the device).
std::vector<DeviceRule> effective_device_rules(const std::vector<DeviceRule>& rules);

// The v1 notation: "c 1:3 rwm", "a *:* rwm".
std::string device_rule_line(const DeviceRule& rule);

}  // namespace skerry::oci
