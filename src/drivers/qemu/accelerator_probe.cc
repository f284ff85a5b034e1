#include "drivers/qemu/accelerator_probe.h"

#include "base/rollback.h"
#include "base/sys_file.h"
#include "drivers/qemu/agent_client.h"
#include "drivers/qemu/guest_plan.h"
#include "drivers/qemu/tsc.h"
#include "drivers/qemu/vmm.h"

namespace skerry::qemu {
namespace {

// Under KVM a guest is up in well under a second; an instruction emulator behind /dev/kvm takes minutes.
constexpr Duration kProbeTimeout = std::chrono::seconds(3);
constexpr std::uint32_t kProbeMemoryMib = 128;

}  // namespace

Status boot_under_kvm(Jail& jail, const std::string& program, const BootFiles& boot, const std::string& directory) {
  TRY(sys::remove_tree(directory));
  const EnvironmentPlace place{"skerryprobe", "probe", directory + "/state", directory + "/run"};
  TRY(sys::mkdir_all(place.state_dir, 0700));
  TRY(sys::mkdir_all(place.run_dir, 0700));
  Rollback undo;
  undo.add([&] {
    static_cast<void>(jail.remove(place));
    static_cast<void>(sys::remove_tree(directory));
  });
  VmmSpec spec;
  spec.program = program;
  spec.boot = boot;
  spec.accelerator = Accelerator::kKvm;
  spec.memory_mib = kProbeMemoryMib;
  spec.command_line = TRY(command_line(wire::BootDocument{}, {}, host_tsc_khz())).text;
  TRY(create_vmm(jail, place, spec));
  TRY(jail.start(place));
  auto agent = TRY(AgentClient::connect(place.run_dir));
  TRY(agent.await_ready(kProbeTimeout));
  return {};
}

}  // namespace skerry::qemu
