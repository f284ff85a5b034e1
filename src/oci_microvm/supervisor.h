// The supervisor: the process that stands for a container's, or an exec's, process on the host.
//
// Callers of an OCI runtime (conmon, containerd's shim) wait for a child, give it its stdio and read its exit code. The
// real process lives in the guest; this one passes its bytes on and ends with its code. It is our own program again,
// `skerry-oci-microvm --supervise SESSION tty|pipe`, with the conversation as descriptor 3.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/process.h"
#include "base/result.h"
#include "drivers/driver.h"
#include "wire/oci_spec.h"

namespace skerry::oci_microvm {

inline constexpr const char* kSupervise = "--supervise";

// A child with our own stdio or, with a terminal, with the end of a new one whose master went to `console_socket`.
Result<Child> spawn_supervisor(const Conversation& conversation, bool terminal,
                               const std::optional<oci::ConsoleSize>& size, const std::string& console_socket);
// The child's main: `words` behind kSupervise. Its exit code.
int supervise(const std::vector<std::string>& words);

}  // namespace skerry::oci_microvm
