// The supervisor: the process that stands for a container's, or an exec's, process on the host.
//
// Callers of an OCI runtime (conmon, containerd's shim) wait for a child, give it its stdio and read its exit code. The
// real process lives in the guest; this one passes its bytes on and ends with its code. They also take it for a way
// into the container: `podman cp` goes through /proc/PID/root, `--network container:ID` joins /proc/PID/ns/net. So it
// stands where a container's process would: in PID, mount, IPC and UTS namespaces of its own and the configuration's
// network namespace, with the bundle's root file system as its root.
//
// It is our own program again, `skerry-oci-microvm --supervise tty|pipe|hold SESSION ROOTFS NETNS`, with the
// conversation as descriptor 3 and one where it says that it stands there as 4.
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

struct Surroundings {
  std::string rootfs;             // of the bundle
  std::string network_namespace;  // path; empty: one of its own
};
Surroundings surroundings_of(const oci::Spec& spec, const std::string& rootfs);

// A child with our own stdio or, with a terminal, with the end of a new one whose master went to `console_socket`.
// Returns when it stands in its surroundings.
Result<Child> spawn_supervisor(const Conversation& conversation, bool terminal,
                               const std::optional<oci::ConsoleSize>& size, const std::string& console_socket,
                               const Surroundings& surroundings);

// Where we pass the bytes on ourselves: a child that only stands there, until `lifeline` is closed, by us or by our
// end.
struct Holder {
  Child child;
  Fd lifeline;
};
Result<Holder> spawn_holder(const Surroundings& surroundings);

// The child's main: `words` behind kSupervise. Its exit code.
int supervise(const std::vector<std::string>& words);

}  // namespace skerry::oci_microvm
