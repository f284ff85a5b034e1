// Who a user name is, by the container's own /etc/passwd and /etc/group.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/accounts.h"
#include "base/fd.h"
#include "base/result.h"

namespace skerry {

// `user` as in EnvironmentSpec; empty: root. The files are read as the container sees them: symlinks lead within
// `rootfs`, never to the host's files (openat2(2), RESOLVE_IN_ROOT), nor to what is mounted in it; what is no regular
// file, or too large, counts as missing. kNotFound for a name that is not in them.
Result<Account> find_account(const std::string& rootfs, const std::string& user);

// O_PATH of the root of the mount namespace that the process is in, whatever it has made its own root (chroot(2)).
Result<Fd> open_root_of(pid_t process);

}  // namespace skerry
