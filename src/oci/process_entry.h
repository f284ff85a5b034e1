// Turning the calling process into a container's process: the part that `create` and `exec` share.
//
// By then namespaces, cgroup and root are those of the container. What is left is everything that belongs to the one
// process: limits, scheduling, identity, working directory, descriptors, and the final steps (final_exec.h).
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "oci/capabilities.h"
#include "oci/final_exec.h"
#include "oci/seccomp_filter.h"
#include "wire/oci_spec.h"

namespace skerry::oci {

struct ProcessEntry {
  const Process* process = nullptr;
  const Linux* linux_part = nullptr;
  CapabilityPlan capabilities;
  const SeccompFilter* seccomp = nullptr;  // nullptr: none
  int status_fd = -1;
  int start_listener = -1;   // see FinalRequest
  bool report_ready = true;  // see FinalRequest
  int disguise_fd = -1;
  bool fork_last = false;      // see FinalRequest
  unsigned preserved_fds = 0;  // descriptors 3 … 3+n-1 belong to the program
  int terminal_slave = -1;     // becomes 0, 1, 2 and the controlling terminal
  Fd null;                     // see open_replacement_null()
  bool new_keyring = true;
  std::vector<Hook> start_hooks;  // see FinalRequest
  std::string hook_state;
  std::string title;
};

// Only returns on failure.
Result<void> enter_process(const ProcessEntry& entry);

}  // namespace skerry::oci
