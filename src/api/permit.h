// What a caller may ask for, beyond which routes it may call.
#pragma once

#include <optional>
#include <string_view>

#include "api/caller.h"
#include "base/result.h"
#include "control/operations.h"
#include "core/environment.h"
#include "core/event.h"
#include "core/service.h"

namespace skerry::api {

struct Route;

// kRefused names the field. What would let its creator out of the environment (host directories, capabilities, another
// seccomp profile) is for those who own the host anyway: admins that are not limited to zones.
Status may_create(const Caller& caller, const EnvironmentSpec& spec);
// Asked of requests only, never of a specification that a plugin has completed (its installer was asked): a disk or an
// initramfs by URL is read, or fetched, by the daemon with all its rights, and a wrong checksum tells the right one.
Status may_fetch(const Caller& caller, const EnvironmentSpec& requested);
// Nobody may say of his environment that it is a deployment's replica: it would be counted, and served to.
Status may_claim(const EnvironmentSpec& spec);

// The same for the configuration of a deployment's replicas: a creation request without a name.
Status check_replica_config(const Caller& caller, std::string_view json);

// A service's address becomes one of the host: who could name it could take any address's traffic from the host. One
// that is chosen is harmless.
Status may_serve(const Caller& caller, const std::optional<ServiceSpec>& service);

// What a caller that is limited to zones sees of things that are not environments. Without a limit: everything.
//   events       of environments and deployments in its zones, and of what all share: plugins and images
//   operations   pulls: whoever runs an environment waits for them
bool may_see(const Caller& caller, const Event& event);
bool may_see(const Caller& caller, const Operation& operation);

// Whether a route changes, or tells the secrets of, the host as a whole: nothing for callers limited to zones. Every
// route that is not known to keep to its caller's zones counts as one.
bool is_host_wide(const Route& route);

}  // namespace skerry::api
