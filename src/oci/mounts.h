// The mounts of a configuration, made below the container's root.
//
// Every mount is first made detached (sys_mount.h), gets its attributes while nobody sees it, and is then attached to a
// target that was opened inside the root: no path of the container is ever resolved by a mount call.
#pragma once

#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "oci/cgroup_layout.h"
#include "oci/mount_options.h"
#include "wire/oci_spec.h"
#include "wire/oci_spec_state.h"

namespace skerry::oci {

struct MountContext {
  int root_fd = -1;
  bool user_namespace = false;        // new or joined: host files may be out of reach, host attributes are locked
  bool cgroup_namespace = false;      // a cgroup mount shows the container's own group as its root
  bool new_cgroup_namespace = false;  // the root of that namespace is the container's own group: nothing was joined
  const CgroupLayout* layout = nullptr;
  const CgroupRecord* cgroup = nullptr;
  std::string mount_label;  // SELinux, empty for none
};

// What has to be opened outside of the container's user namespace: the sources of bind mounts (detached copies) and the
// user namespaces of idmapped mounts. Same index as the mounts; an unset entry is opened inside.
struct PreparedMount {
  Fd tree;
};
// Opens what the container itself could not; call in the runtime's namespaces. Sources are all opened when
// `user_namespace`, idmapped ones always.
Result<std::vector<PreparedMount>> prepare_mounts(const Spec& spec, bool user_namespace);

// Makes all of them, in order. Errors name /mounts/<index>.
Status make_mounts(const std::vector<Mount>& mounts, const std::vector<PreparedMount>& prepared,
                   const MountContext& context);

// A detached bind mount of the source with all attributes; what prepare_mounts and make_mounts share.
Result<Fd> make_bind(const Mount& mount, const MountOptions& options);
// A detached new file system of mount.type.
Result<Fd> make_file_system(const std::string& type, const std::string& source, const MountOptions& options);

// cgroup_mount.cc: the mount of type "cgroup" and its attaching.
Status make_cgroup_mount(const Mount& mount, const MountOptions& options, const MountContext& context);

}  // namespace skerry::oci
