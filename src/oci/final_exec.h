// FinalExec: the last steps of a container's process, from "everything is set up" to its own program.
//
//   give up the runtime's program ──> capabilities, seccomp ──> enter the PID namespace (exec) ──> report ready
//     ──> wait for the start ──> startContainer hooks ──> execve
//
// Whoever can see the process can try to take it over (ptrace(2) with CAP_SYS_PTRACE, or a hook inside the container).
// So by then it holds nothing its program would not have: capabilities and filter come first, and it is not dumpable. A
// filter that would forbid the steps between itself and the program is loaded right before the program instead; then
// CAP_SYS_ADMIN, which loading takes without no_new_privs, stays until there, and nothing else.
//
// Why it is special. /proc/self/exe of a process that is about to exec leads to the runtime's file on the host, and an
// image whose program is "#!/proc/self/exe" makes the kernel run exactly that: a way to overwrite the runtime
// (CVE-2019-5736). Other runtimes copy themselves and exec a second time. Here the process swaps what /proc/self/exe
// means for an empty sealed memory file (prctl(2), PR_SET_MM_MAP). The kernel allows that only when no page of the old
// program is mapped any more, so the steps from there on run from a small copied piece of code (final_exec_code.cc)
// with plain data (FinalPlan), and the whole runtime is unmapped. Where the kernel cannot do that see sealed_copy.h. A
// container that waits for `start` therefore also costs no memory of the runtime.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "oci/capabilities.h"
#include "oci/seccomp_filter.h"
#include "wire/oci_spec.h"

namespace skerry::oci {

// Which of the steps failed; the number travels to the runtime.
enum class FinalStep : std::uint32_t {
  kNone,
  kHideRuntime,
  kFork,
  kWait,
  kSeccomp,
  kListener,
  kCapabilities,
  kAmbient,
  kNoNewPrivileges,
  kHook,
  kExec,
};
// "install the seccomp filter" and so on.
std::string_view final_step_name(FinalStep step);

struct FinalRequest {
  std::string path;
  std::vector<std::string> args;
  std::vector<std::string> env;
  const CapabilityPlan* capabilities = nullptr;  // nullptr: kept as they are
  const SeccompFilter* seccomp = nullptr;
  bool no_new_privileges = false;
  int status_fd = -1;  // gets StatusHeader messages; closed by exec
  // How the process is told to go on: a connection to this listening socket (`create`), or, with -1, a byte on
  // status_fd.
  int start_listener = -1;
  // Without: nobody waits for "ready", the byte is on its way (see starts_at_once()).
  bool report_ready = true;
  // A joined PID namespace only takes in children: the last steps are done by one, whose pid is reported (kStaged).
  // That child leads a new session, with descriptor 0 as its terminal when `has_terminal`.
  bool fork_last = false;
  bool has_terminal = false;
  int disguise_fd = -1;  // what /proc/self/exe becomes; see make_disguise(). -1: it stays, as a sealed copy
  // startContainer hooks: run between the start and the program, as what the program will be: same user, capabilities
  // and filter.
  std::vector<Hook> hooks;
  std::string hook_state;  // their standard input
  std::string title;       // what /proc/PID/cmdline shows while waiting
};

// An empty, sealed, executable memory file; none where the kernel cannot use it and the runtime is a sealed copy of
// itself anyway (sealed_copy.h). kUnsupported when it is neither.
Result<Fd> make_disguise();

// Does all of it. Only returns when the preparation fails; later failures are reported on the descriptors.
Result<void> run_final_steps(const FinalRequest& request);

}  // namespace skerry::oci
