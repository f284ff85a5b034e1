// Capabilities (capabilities(7)): names to numbers, and what a container's process may hold.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/oci_spec.h"

namespace skerry::oci {

// One bit a capability.
using CapabilityMask = std::uint64_t;
constexpr CapabilityMask capability_bit(unsigned number) { return CapabilityMask{1} << number; }

// "CAP_SYS_ADMIN" → 21. nullopt-like -1 for an unknown name.
int capability_number(std::string_view name);
std::vector<std::string> known_capabilities();

struct CapabilityPlan {
  CapabilityMask bounding = 0;
  CapabilityMask effective = 0;
  CapabilityMask permitted = 0;
  CapabilityMask inheritable = 0;
  CapabilityMask ambient = 0;
  std::vector<std::string> warnings;  // what was asked and cannot be granted here
};

// What this process holds: bounding and permitted set.
struct OwnCapabilities {
  CapabilityMask bounding = 0;
  CapabilityMask permitted = 0;
};
Result<OwnCapabilities> own_capabilities();

// Unknown names and capabilities that `available` lacks become warnings (config.md: "MUST log a warning").
CapabilityPlan plan_capabilities(const Capabilities& wanted, CapabilityMask available);

// prctl(PR_CAPBSET_DROP) for everything outside of `keep`.
Status drop_bounding_set(CapabilityMask keep);
// capset(2) for the calling process.
Status set_capabilities(CapabilityMask effective, CapabilityMask permitted, CapabilityMask inheritable);

}  // namespace skerry::oci
