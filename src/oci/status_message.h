// What the container's first process tells the runtime over their socket pair, one SOCK_SEQPACKET message each.
//
//   header, then for kFailed optionally text: Error code, hint separated by NUL
//   header, HookReport and the hook's output, for kFailed with FinalStep::kHook
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"

namespace skerry::oci {

enum class StatusKind : std::uint32_t {
  kStaged = 1,      // the staging process made the container's first process; `value` is its pid
  kNamespaces = 2,  // the namespaces exist: id maps may be written
  kHooks = 3,       // mounts are done, the root not switched yet: runtime hooks may run
  kReady = 4,       // everything is set up, the process waits
  kListener = 6,    // a seccomp filter with a listener was loaded; its descriptor travels along
  kFailed = 5,      // `value` is the errno, `step` the FinalStep or 0 with text
};

struct StatusHeader {
  StatusKind kind{};
  std::int32_t value = 0;
  std::uint32_t step = 0;
};

// A startContainer hook that failed. The header's value is the errno when it could not be run, ETIMEDOUT when it took
// too long.
struct HookReport {
  std::uint32_t index = 0;
  std::int32_t wait_status = 0;  // wait(2)
};
constexpr std::size_t kMaxHookOutput = 1024;

struct StatusMessage {
  StatusHeader header;
  std::string text;
  Fd listener;  // of kListener
};

// Child to runtime.
Status send_status(int socket, StatusKind kind, std::int32_t value = 0);
void send_failure(int socket, const Error& error);
// The next message, nullopt at end of file.
Result<std::optional<StatusMessage>> receive_status(int socket);
// Until there is one or the end of file; kDeadlineExceeded when that does not come in time.
Status await_status(int socket, MonoTime deadline);
// The Error inside a kFailed message. `program` names what was to be executed.
Error failure_of(const StatusMessage& message, const std::string& program);

// Whether the runtime has gone: its end of the socket is closed. For the moment in which it could have died before
// PR_SET_PDEATHSIG was in force.
bool is_abandoned(int socket);

// One byte, and what the other side needs to know, that let it go on; and waiting for it. End of file is kCancelled.
Status send_go(int socket, std::string_view text = {});
Result<std::string> await_go(int socket);

}  // namespace skerry::oci
