// maskedPaths and readonlyPaths (config-linux.md): hiding and write-protecting parts of the container's tree.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace skerry::oci {

// Covers files with /dev/null (its device number is checked: CVE-2025-31133) and directories with one read-only empty
// tmpfs that all of them share. A path that does not exist is skipped. Called in the container's mount namespace while
// the host's /dev is still in reach.
Status mask_paths(int root_fd, const std::vector<std::string>& paths);

// Makes each a read-only mount of itself, with everything below it.
Status protect_paths(int root_fd, const std::vector<std::string>& paths);

}  // namespace skerry::oci
