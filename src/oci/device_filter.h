// The device access filter of cgroup v2: an eBPF program of type BPF_PROG_TYPE_CGROUP_DEVICE, written here instruction
// by instruction (no compiler, no libbpf) and attached to the container's group.
#pragma once

#include <linux/bpf.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "wire/oci_spec.h"

namespace skerry::oci {

// The program for effective_device_rules(rules): the last rule that matches decides, as on v1; no match denies.
std::vector<bpf_insn> compile_device_filter(const std::vector<DeviceRule>& rules);

// Loads it and attaches it, replacing an earlier one of ours. Without CAP_BPF or CAP_SYS_ADMIN over the group
// (rootless) this does nothing: there the kernel's mknod and device checks in a user namespace already deny.
Status attach_device_filter(const std::string& cgroup_directory, const std::vector<DeviceRule>& rules);

}  // namespace skerry::oci
