// The mount system calls that work on descriptors (fsopen(2), move_mount(2), mount_setattr(2), …), each wrapped once.
//
// A detached mount is an Fd that belongs to no path: it can be changed and written through before anybody sees it, and
// is gone with its last descriptor when it was never attached. Paths are taken relative to a directory descriptor; an
// empty path means the descriptor itself.
#pragma once

#include <sys/mount.h>

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace skerry::sys {

enum class Recursion : std::uint8_t { kNone, kSubmounts };

// open_tree(2) with OPEN_TREE_CLONE: a detached copy of the mount at the path (a bind mount to be).
Result<Fd> clone_mount(int dir_fd, const std::string& path, Recursion recursion, unsigned at_flags = 0);
// move_mount(2): attaches a detached mount on top of what `target_fd` (O_PATH) names.
Status attach_mount(int mount_fd, int target_fd);

// fsopen(2): a file system context, not mounted yet.
Result<Fd> fsopen(const std::string& type);
// fsconfig(2). The error carries what the kernel wrote about the option into the context's log.
Status fsconfig_string(int context, const std::string& key, const std::string& value);
Status fsconfig_flag(int context, const std::string& key);
Status fsconfig_create(int context);
// fsmount(2): a detached mount with MOUNT_ATTR_* in `attributes`.
Result<Fd> fsmount(int context, unsigned attributes);

// mount_setattr(2) on a descriptor; AT_RECURSIVE with kSubmounts.
Status mount_setattr(int mount_fd, const struct mount_attr& attributes, Recursion recursion);

// pivot_root(".", "."): the current directory becomes the root, the old root is stacked on it.
Status pivot_root_here();

}  // namespace skerry::sys
