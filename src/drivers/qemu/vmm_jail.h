// The jail of a VMM process, as an OCI configuration: pure. One confinement for all (X3): skerry-oci makes it.
//
// The process has its own uid and no capability, namespaces of its own (also an empty network namespace: its tap comes
// as a descriptor), a root file system with nothing but a read-only /usr, the kernel and the initramfs, a system call
// allow-list, and cgroup limits. What it may touch beyond that came as an open descriptor.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/oci_spec.h"

namespace skerry::qemu {

struct VmmJailInputs {
  std::string rootfs;  // an empty directory with the usual links into /usr (make_vmm_rootfs)
  std::string kernel;  // host paths
  std::string initramfs;
  std::uint32_t uid = 0;         // and gid
  std::uint32_t memory_mib = 0;  // the guest's
  std::uint32_t cpu_milli = 1000;
  bool kvm = false;
  // Nodes of /dev that it may open beside /dev/kvm. With any, it sees sysfs and may pin the guest's memory (VFIO).
  struct Node {
    std::string path;
    std::int64_t major = 0;
    std::int64_t minor = 0;
  };
  std::vector<Node> nodes;
  std::vector<std::string> argv;
  // Of a VMM that is not QEMU: what else it sees, and may call (vmm_seccomp()).
  std::vector<oci::Mount> mounts;
  std::string_view more_calls;
};

// Where the process sees them.
inline constexpr const char* kJailKernel = "/vm/kernel";
inline constexpr const char* kJailInitramfs = "/vm/initramfs";
// What the VMM itself may use beside the guest's memory: code, device state, QEMU's translation buffer.
inline constexpr std::uint32_t kVmmOverheadMib = 256;

oci::Spec vmm_jail(const VmmJailInputs& inputs);
// VmmJailInputs::memory_mib of such a jail. kCorrupt when it is none.
Result<std::uint32_t> memory_mib_of(const oci::Spec& jail);

// A uid that no account of the host has and no other VM: from the environment's id (16 hexadecimal digits), above every
// range that distributions give out.
std::uint32_t vmm_uid(const std::string& environment_id);

}  // namespace skerry::qemu
