#include "drivers/qemu/vmm.h"

#include <fcntl.h>

#include "base/sys_file.h"
#include "base/text.h"
#include "drivers/qemu/host_devices.h"
#include "drivers/qemu/jail_parts.h"
#include "drivers/qemu/share_jail.h"
#include "drivers/qemu/shares.h"
#include "drivers/qemu/vmm_jail.h"

namespace skerry::qemu {
namespace {

// Numbers in the VMM: the channels first, then what is borrowed from us.
constexpr int kAgentFd = 3;
constexpr int kQmpFd = 4;
constexpr int kConsoleFd = 5;
static_assert(kIncomingFd == kConsoleFd + 1);

Status make_rootfs(const std::string& path) {
  TRY(make_jail_root(path));
  TRY(sys::mkdir_all(path + "/vm", 0755));
  for (const std::string_view file : {kJailKernel, kJailInitramfs}) {
    TRY(sys::open(cat(path, file), O_WRONLY | O_CREAT, 0644));
  }
  return {};
}

Machine machine_of(const EnvironmentPlace& place, const VmmSpec& spec) {
  Machine machine;
  machine.name = place.name;
  machine.accelerator = spec.accelerator;
  machine.vcpus = vcpus_of(spec);
  machine.memory_mib = spec.memory_mib;
  machine.kernel = kJailKernel;
  if (!spec.boot.initramfs.empty()) machine.initramfs = kJailInitramfs;
  machine.command_line = spec.command_line;
  machine.agent_fd = kAgentFd;
  machine.qmp_fd = kQmpFd;
  machine.console_fd = kConsoleFd;
  return machine;
}

Result<JailSpec> jail_spec(const EnvironmentPlace& place, const VmmSpec& spec) {
  JailSpec jailed;
  jailed.channels = {{"agent", kAgentFd, ChannelMode::kFramed}, {"console", kConsoleFd, ChannelMode::kConsole}};
  if (spec.qmp) {
    jailed.fds.push_back({spec.qmp.get(), kQmpFd});
  } else {
    jailed.channels.push_back({"qmp", kQmpFd, ChannelMode::kRaw});
  }
  Machine machine = machine_of(place, spec);
  int next = kConsoleFd + 1;
  const auto lend = [&](int fd) {
    jailed.fds.push_back({fd, next});
    return next++;
  };
  machine.incoming = spec.incoming_state >= 0;
  if (machine.incoming) lend(spec.incoming_state);  // kIncomingFd
  if (spec.memory) machine.memory = MemoryFile{lend(spec.memory->fd), spec.memory->shared};
  if (spec.tap) machine.network = NetworkCard{lend(spec.tap.get()), spec.mac};
  if (spec.share) {
    machine.share = Share{lend(spec.share.get()), kShareTag};
    jailed.companion = TRY(share_server(place));
  }
  for (const auto& disk : spec.disks) machine.disks.push_back({disk.serial, lend(disk.file.get()), disk.read_only});
  for (const auto& each : spec.host_devices) machine.host_devices.push_back(each.address.text());

  VmmJailInputs inputs;
  inputs.rootfs = place.run_dir + "/vmm";
  inputs.kernel = spec.boot.kernel;
  inputs.initramfs = spec.boot.initramfs;
  inputs.uid = vmm_uid(place.id);
  inputs.memory_mib = spec.memory_mib;
  inputs.cpu_milli = spec.cpu_milli;
  inputs.kvm = spec.accelerator == Accelerator::kKvm;
  inputs.nodes = TRY(vfio_nodes(spec.host_devices));
  inputs.argv = arguments(machine, spec.program);
  TRY(make_rootfs(inputs.rootfs));
  if (!inputs.nodes.empty()) TRY(sys::mkdir_all(inputs.rootfs + "/sys", 0755));
  jailed.config = vmm_jail(inputs);
  return jailed;
}

}  // namespace

Result<VmmDisk> open_disk(std::string serial, const std::string& path, bool read_only) {
  VmmDisk disk{std::move(serial), TRY(sys::open(path, read_only ? O_RDONLY : O_RDWR)), read_only, 0};
  disk.size = static_cast<std::uint64_t>(TRY(sys::fstat(disk.file.get())).st_size);
  return disk;
}

std::uint32_t vcpus_of(const VmmSpec& spec) { return (spec.cpu_milli + kMilliPerCore - 1) / kMilliPerCore; }

Result<pid_t> create_vmm(Jail& jail, const EnvironmentPlace& place, const VmmSpec& spec) {
  return jail.create(place, TRY(jail_spec(place, spec)));
}

Result<Started> run_vmm(Jail& jail, const EnvironmentPlace& place, const VmmSpec& spec, bool attach) {
  return jail.run(place, TRY(jail_spec(place, spec)), attach);
}

}  // namespace skerry::qemu
