// What the jails of a guest's processes (the VMM, the server of its shares) have in common: a root file system with
// nothing but a read-only /usr. Pure, but for make_jail_root().
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/oci_spec.h"

namespace skerry::qemu {

// /proc, an empty /dev and a read-only /usr.
std::vector<oci::Mount> jail_mounts();
// nosuid, nodev; of a directory or a file.
oci::Mount read_only_bind(const std::string& source, const std::string& target);

// At most this much of the host's processors, in thousandths of one.
oci::CpuLimits cpu_limits(std::uint32_t cpu_milli);

// The directory jail_mounts() are for: with the links that make a bare /usr a usable system (merged /usr, as Debian 12
// has it).
Status make_jail_root(const std::string& path);

}  // namespace skerry::qemu
