// Joining a running container: the child's side of `exec`.
//
//   runtime                    joining process                           program
//     clone3 (into cgroup) ──▶ cgroup v1, setns of everything
//                              terminal, process_entry.h, the runtime's
//                              program unmapped, capabilities dropped
//     ◀── kStaged, pid ─────── clone (CLONE_PARENT) ───────────────────▶ born in the PID namespace
//     ─── go ─────────────────────────────────────────────────────────▶ waits for it, seccomp, execve
//
// The runtime says go as soon as it knows the pid (and has written it down), and does not wait for "ready" first.
//
// Only the last one is visible inside the container's PID namespace. By then it holds no descriptor of the host, no
// page of the runtime and, with no_new_privs, no capability beyond its own: there is nothing to gain from tracing it or
// from its /proc/PID/exe (CVE-2016-9962, CVE-2019-5736).
#pragma once

#include <optional>
#include <string>

#include "base/fd.h"
#include "oci/capabilities.h"
#include "oci/cgroup.h"
#include "oci/launch.h"
#include "oci/seccomp_filter.h"
#include "wire/oci_spec.h"

namespace skerry::oci {

struct JoinPlan {
  std::string id;
  const Process* process = nullptr;
  const Linux* linux_part = nullptr;
  int namespace_flags = 0;  // CLONE_NEW* of the container
  pid_t pid = 0;            // of its first process
  Fd container;             // pidfd of that
  Fd root;                  // its root directory, where it has no mount namespace of its own; else unset
  const CgroupDoor* door = nullptr;
  CapabilityPlan capabilities;
  std::optional<SeccompFilter> seccomp;
  Fd console_socket;
  Fd disguise;
  unsigned preserved_fds = 0;
};

// Clones the joining process and answers when the pid is known; then send_go, wait_until_executed.
Result<Launched> join_container(const JoinPlan& plan);

}  // namespace skerry::oci
