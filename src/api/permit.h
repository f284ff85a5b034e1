// What a caller may ask for, beyond which routes it may call.
#pragma once

#include <string_view>

#include "api/caller.h"
#include "base/result.h"
#include "core/environment.h"

namespace skerry::api {

// kRefused names the field. What would let its creator out of the environment (host directories, capabilities, another
// seccomp profile) is for those who own the host anyway.
Status may_create(const Caller& caller, const EnvironmentSpec& spec);

// The same for the configuration of a deployment's replicas: a creation request without a name.
Status check_replica_config(const Caller& caller, std::string_view json);

}  // namespace skerry::api
