// System calls on namespaces and mounts, each wrapped once. Names follow the man pages in section 2.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace skerry::sys {

// unshare(2): the calling thread gets namespaces of its own (`flags`: CLONE_NEW*).
Status unshare(int flags);
// setns(2): the calling thread enters the namespace of `fd`; `type` (CLONE_NEW*) must match it.
Status setns(int fd, int type);

// mount(2). Empty texts are passed as null pointers.
Status mount(const std::string& source, const std::string& target, const std::string& type, std::uint64_t flags,
             const std::string& data = {});
// umount2(2) with `flags` (MNT_DETACH, UMOUNT_NOFOLLOW, …).
Status umount(const std::string& target, int flags);

}  // namespace skerry::sys
