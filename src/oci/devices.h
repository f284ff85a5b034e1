// Device nodes and links in the container's /dev (config-linux.md "Default Devices", "Dev symbolic links").
#pragma once

#include "base/result.h"
#include "wire/oci_spec.h"

namespace skerry::oci {

// All work happens below one descriptor of /dev that was opened without following links: an image that ships /dev as a
// symlink (CVE-2026-41579) is refused. Nodes are made with mknod(2); where that is not allowed (user namespaces) the
// host's node is bind mounted, after its device number was checked.
// Nothing is done when the configuration mounts a /dev of the host's (type bind).
Status make_devices(const Spec& spec, int root_fd, bool user_namespace);

}  // namespace skerry::oci
