// Who we are outside of our own user namespace: rootless callers (podman) run the runtime as "root" of a namespace in
// which the host's files, groups and services belong to somebody else.
#pragma once

#include <sys/types.h>

namespace skerry::oci {

// Our effective user id as the host sees it (/proc/self/uid_map); the id itself where that cannot be told.
uid_t outer_uid();
// Not root, or root only of a user namespace.
bool is_ordinary_user();

}  // namespace skerry::oci
