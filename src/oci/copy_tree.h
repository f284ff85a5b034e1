// Copies what lies in one directory into another, by descriptors: the `tmpcopyup` of a tmpfs mount.
#pragma once

#include "base/result.h"

namespace skerry::oci {

// Directories, regular files and symlinks with owner, mode and times; other kinds are skipped. Never follows a link.
Status copy_tree(int from_dir_fd, int to_dir_fd);

}  // namespace skerry::oci
