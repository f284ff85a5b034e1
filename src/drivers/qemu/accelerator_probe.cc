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

Status clear(Jail& jail, const EnvironmentPlace& place, const std::string& directory) {
  TRY(jail.remove(place));
  return sys::remove_tree(directory);
}

}  // namespace

Status in_probe_place(Jail& jail, const std::string& id, const std::string& directory,
                      const std::function<Status(const EnvironmentPlace&)>& boot) {
  const EnvironmentPlace place{id, "probe", directory + "/state", directory + "/run"};
  TRY_IN("what a killed daemon left", clear(jail, place, directory));
  TRY(sys::mkdir_all(place.state_dir, 0700));
  TRY(sys::mkdir_all(place.run_dir, 0700));
  Rollback undo;
  undo.add([&] { static_cast<void>(clear(jail, place, directory)); });
  return boot(place);
}

Status boot_under_kvm(Jail& jail, const std::string& program, const BootFiles& boot, const std::string& directory) {
  return in_probe_place(jail, "skerryprobe", directory, [&](const EnvironmentPlace& place) -> Status {
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
  });
}

}  // namespace skerry::qemu
