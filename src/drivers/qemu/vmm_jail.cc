#include "drivers/qemu/vmm_jail.h"

#include "drivers/qemu/jail_parts.h"
#include "drivers/qemu/vmm_seccomp.h"
#include "wire/oci_spec_defaults.h"

namespace skerry::qemu {
namespace {

constexpr std::int64_t kMib = 1 << 20;
// vCPUs, the main loop, and a pool of 64 threads for disk I/O.
constexpr std::int64_t kMostThreads = 256;

std::vector<oci::Mount> mounts(const VmmJailInputs& inputs) {
  auto out = jail_mounts();
  for (const auto& [source, target] :
       {std::pair(inputs.kernel, kJailKernel), std::pair(inputs.initramfs, kJailInitramfs)}) {
    if (source.empty()) continue;
    out.push_back(read_only_bind(source, target));
    out.back().options.emplace_back("noexec");
  }
  if (!inputs.nodes.empty()) out.push_back({"/sys", "sysfs", "sysfs", {"ro", "nosuid", "noexec", "nodev"}, {}, {}});
  out.insert(out.end(), inputs.mounts.begin(), inputs.mounts.end());
  return out;
}

std::vector<oci::Rlimit> limits(const VmmJailInputs& inputs) {
  std::vector<oci::Rlimit> out{{"RLIMIT_NOFILE", 1024, 1024}, {"RLIMIT_CORE", 0, 0}};
  if (inputs.nodes.empty()) return out;
  // A device reads the guest's memory whenever it likes: all of it is pinned (Documentation/driver-api/vfio.rst).
  const auto most = static_cast<std::uint64_t>((std::int64_t{inputs.memory_mib} + kVmmOverheadMib) * kMib);
  out.push_back({"RLIMIT_MEMLOCK", most, most});
  return out;
}

oci::Resources resources(const VmmJailInputs& inputs) {
  oci::Resources out;
  out.devices = oci::default_device_rules();
  if (inputs.kvm) out.devices.push_back({true, "c", 10, 232, "rw"});
  for (const auto& node : inputs.nodes) out.devices.push_back({true, "c", node.major, node.minor, "rw"});
  out.memory.emplace();
  out.memory->limit = (std::int64_t{inputs.memory_mib} + kVmmOverheadMib) * kMib;
  out.cpu = cpu_limits(inputs.cpu_milli);
  out.pids_limit = kMostThreads;
  return out;
}

}  // namespace

oci::Spec vmm_jail(const VmmJailInputs& inputs) {
  oci::Spec spec;
  spec.oci_version = oci::kSpecVersion;
  spec.root = {inputs.rootfs, true};
  spec.hostname = "vmm";
  spec.mounts = mounts(inputs);
  oci::Process process;
  process.user.uid = inputs.uid;
  process.user.gid = inputs.uid;
  process.args = inputs.argv;
  process.env = {"PATH=/usr/bin"};
  process.capabilities.emplace();  // every set empty
  process.rlimits = limits(inputs);
  process.no_new_privileges = true;
  spec.process = std::move(process);
  spec.linux_part.namespaces = oci::default_namespaces();
  spec.linux_part.resources = resources(inputs);
  spec.linux_part.masked_paths = oci::default_masked_paths();
  spec.linux_part.readonly_paths = oci::default_readonly_paths();
  spec.linux_part.seccomp = vmm_seccomp(inputs.more_calls);
  if (inputs.kvm) spec.linux_part.devices.push_back({"c", "/dev/kvm", 10, 232, 0600, inputs.uid, inputs.uid});
  for (const auto& node : inputs.nodes) {
    spec.linux_part.devices.push_back({"c", node.path, node.major, node.minor, 0600, inputs.uid, inputs.uid});
  }
  return spec;
}

Result<std::uint32_t> memory_mib_of(const oci::Spec& jail) {
  const auto& memory = jail.linux_part.resources.memory;
  const std::int64_t mib = memory ? memory->limit.value_or(0) / kMib - kVmmOverheadMib : 0;
  if (mib <= 0) return fail(ErrorCode::kCorrupt, "the VMM's jail has no limit of memory");
  return static_cast<std::uint32_t>(mib);
}

std::uint32_t vmm_uid(const std::string& environment_id) {
  // 2^30 … 2^30+2^29-1: far above /etc/login.defs, subordinate ids and systemd's ranges, and below the ranges of the
  // containers' user namespaces (drivers/container/id_range.h, from 0x70000000).
  std::uint64_t mixed = 14695981039346656037U;  // FNV-1a: ids may be of any form in tests
  for (const char letter : environment_id) mixed = (mixed ^ static_cast<unsigned char>(letter)) * 1099511628211U;
  return (std::uint32_t{1} << 30U) + static_cast<std::uint32_t>(mixed >> 35U);
}

}  // namespace skerry::qemu
