// Who asks a workload how it is: the guest's own agent where there is one that knows how to reach it, else the host.
#pragma once

#include "core/environment.h"

namespace skerry {

// The agent of a microVM probes paths below the workload's base_url, and tells over its channel.
inline bool guest_probes(const EnvironmentSpec& spec) {
  return spec.isolation == Isolation::kMicrovm && spec.health_check && !spec.base_url.empty() &&
         spec.health_check->probe == HealthCheck::Probe::kHttp && spec.health_check->endpoint.starts_with('/');
}

}  // namespace skerry
