// The container's root file system: made a mount of its own, and then the root of the mount namespace.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace skerry::oci {

enum class RootSwitch : std::uint8_t {
  kPivot,
  kMoveMount
};  // kMoveMount: --no-pivot, for hosts running from a ramdisk

// Cuts the mount namespace off the host's propagation (rootfsPropagation: default slave) and binds the rootfs on
// itself, or puts the detached mount `given` (borrowed; -1: none) there. The answer is that mount's root, good for
// openat2 and for switch_root.
Result<Fd> prepare_rootfs(const std::string& path, int given, const std::string& propagation);

// Makes `root_fd` "/" and lets the old root go. rootfsPropagation "shared" takes effect here.
Status switch_root(int root_fd, RootSwitch how, const std::string& propagation);

// The mount at `root_fd` becomes read-only (root.readonly).
Status make_root_readonly(int root_fd);

// MS_PRIVATE and so on of a rootfsPropagation word, MS_SLAVE for "".
std::uint64_t propagation_type(const std::string& word);

}  // namespace skerry::oci
