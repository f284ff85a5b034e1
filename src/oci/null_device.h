// /dev/null, the device everybody shares: its node on the host must never be within a container's reach for writing.
//
// Who has a descriptor of the host's node, or sees it through a mount, can change its mode and owner for the whole host
// (chmod(2), fchmod(2) by /proc/self/fd). So what covers masked files is a read-only mount of it (writing to the device
// stays possible, changing the node does not), and standard descriptors that lead to it are replaced.
#pragma once

#include <sys/stat.h>

#include "base/fd.h"
#include "base/result.h"

namespace skerry::oci {

// Character device 1:3 (null(4)).
bool is_null_device(const struct stat& info);

// A detached mount of the host's /dev/null, read-only, nosuid and noexec. kCorrupt when the host has something else
// there.
Result<Fd> mount_host_null();

// What standard descriptors are replaced with: the null device of the container's root at `root_fd` or, where it has
// none, one opened through mount_host_null(); none when descriptors 0 to 2 do not need it. Called while the host's /dev
// and /proc can be seen, and when the container's mounts stand. A runtime without the right to mount cannot make the
// second kind; the host's node is then not its user's either. The container's own comes first also because giving up
// a mount that was never attached takes an RCU grace period: milliseconds on a busy machine.
Fd open_replacement_null(int root_fd);

// Descriptors 0 to 2 that are the null device become `replacement`, without one the device of this root when there is
// such. Called inside of the container.
Status replace_null(const Fd& replacement);

}  // namespace skerry::oci
