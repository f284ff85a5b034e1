// What a container gets when nobody says otherwise: pure values, one source for the drivers, `skerry-oci spec` and the
// jail of the VMMs.
#pragma once

#include <string>
#include <vector>

#include "wire/oci_spec.h"

namespace skerry::oci {

// The 11 capabilities an ordinary image needs as root (capabilities(7)): own files, ids, low ports, chroot, kill.
// Weaker than all others runtimes' defaults: no CAP_MKNOD, CAP_NET_RAW, CAP_AUDIT_WRITE.
const std::vector<std::string>& default_capabilities();
// All five sets from one list: inheritable and ambient stay empty (CVE-2022-29162).
Capabilities capability_sets(std::vector<std::string> names);

// /proc, /dev, /dev/pts, /dev/shm, /dev/mqueue, /sys (read-only), /sys/fs/cgroup (read-only).
std::vector<Mount> default_mounts();
// Paths that tell about or steer the host, hidden or made read-only.
const std::vector<std::string>& default_masked_paths();
const std::vector<std::string>& default_readonly_paths();
// One new namespace of each: pid, network, ipc, uts, mount, cgroup.
std::vector<Namespace> default_namespaces();
// Everything is denied except the pseudo devices every runtime offers.
std::vector<DeviceRule> default_device_rules();

// The allow-list of system calls; answers ENOSYS to unknown ones so that programs fall back. What a capability guards
// is only allowed when `capabilities` has it (names as in config.json).
Seccomp default_seccomp(const std::vector<std::string>& capabilities);

// A whole configuration around them, running `sh` in ./rootfs: what `skerry-oci spec` prints.
Spec default_spec();
// The same for an ordinary user: a user namespace with one id mapped, no network of its own to set up, no cgroup
// limits.
Spec default_rootless_spec(std::uint32_t host_uid, std::uint32_t host_gid);

}  // namespace skerry::oci
