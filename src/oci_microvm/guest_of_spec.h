// From an OCI configuration to the guest that shall be it. Pure.
//
// What a configuration asks of a kernel that is shared (seccomp filter, AppArmor, SELinux, masked and read-only paths
// of /proc and /sys, device rules, the mounts of kernel file systems) is not for a guest that has a kernel of its own,
// and is left away: docs/OPERATIONS.md lists it. What a guest cannot do (share namespaces with the host or other
// containers, have the host's devices, map users, …) is refused with the JSON path: kUnsupported.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/environment.h"
#include "wire/agent_protocol.h"
#include "wire/oci_spec.h"

namespace skerry::oci_microvm {

struct GuestOfSpec {
  wire::BootDocument document;    // without its network; waits for "start"
  std::vector<BindMount> shares;  // in the order of their numbers; the first is the root directory
  std::uint32_t memory_mib = 256;
  std::uint32_t cpu_milli = kMilliPerCore;
  std::string control_group;      // path in every hierarchy, for the machine's jails; empty: one of our own
  std::string network_namespace;  // path; empty: a new one, so no network
};

Result<GuestOfSpec> guest_of_spec(const oci::Spec& spec, const std::string& rootfs);
// A process of the configuration, or one that `exec` is given.
Result<wire::GuestProcess> guest_process(const oci::Process& process);

}  // namespace skerry::oci_microvm
