// The container's first process, from its birth in new namespaces to its own program.
//
//   runtime                                     first process (this file)
//     clone3 ───────────────────────────────────▶ born in the namespaces (and, on v2, in the cgroup)
//     write the id maps  ◀── kNamespaces ──────── (only with a new user namespace)
//                        ─── go ────────────────▶ cgroup v1, cgroup namespace, host name, mounts, devices
//     prestart, createRuntime hooks ◀── kHooks ── (only with hooks)
//                        ─── go, own pid ───────▶ createContainer hooks, pivot_root, sysctl, masks, process_entry.h
//     ◀── kReady, or kFailed with the step ──────
//     ─── go (run), or a connection by `start` ─▶ startContainer hooks, execve
//
// The rule against allocating between fork and exec protects programs with threads from locks nobody releases;
// skerry-oci has one thread, so the code here is ordinary code, with Result and TRY.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "oci/capabilities.h"
#include "oci/cgroup.h"
#include "oci/mounts.h"
#include "oci/namespaces.h"
#include "oci/rootfs.h"
#include "oci/seccomp_filter.h"
#include "wire/oci_spec.h"

namespace skerry::oci {

// Everything made ready by the runtime. Borrowed pointers live until the exec.
struct InitPlan {
  std::string id;
  const Spec* spec = nullptr;
  std::string rootfs;  // absolute
  int root_fd = -1;    // CreateRequest::root_fd
  const NamespacePlan* namespaces = nullptr;
  const CgroupLayout* layout = nullptr;
  const CgroupRecord* cgroup = nullptr;
  const CgroupDoor* door = nullptr;
  std::vector<PreparedMount> mounts;
  CapabilityPlan capabilities;
  std::optional<SeccompFilter> seccomp;
  const ContainerRecord* record = nullptr;  // what hooks are told; the pid is known only to the runtime
  int lock_fd = -1;                         // the runtime\'s lock, which must not live on in its children
  Fd start_listener;                        // `create`: where `start` connects; unset for `run`
  Fd console_socket;                        // where the terminal's master goes; unset without a terminal
  Fd disguise;
  unsigned preserved_fds = 0;
  RootSwitch root_switch = RootSwitch::kPivot;
  bool new_keyring = true;
};

// Whether the process has nothing to ask on its way to the program and nobody else starts it (`run`, no id maps, no
// hooks). The runtime then says "go" as soon as its own part is done, instead of waiting for "ready" and being waited
// for: two changes of the running process less between the clone and the program, which under load are milliseconds.
bool starts_at_once(const InitPlan& plan);

// Never returns. Failures go to the status socket.
[[noreturn]] void run_init(const InitPlan& plan, int status_fd);

}  // namespace skerry::oci
