#include "drivers/cloud_hypervisor/cloud_hypervisor_driver.h"

#include "base/crash_point.h"
#include "base/log.h"
#include "base/rollback.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "drivers/cloud_hypervisor/vmm.h"
#include "drivers/qemu/accelerator_probe.h"
#include "drivers/qemu/guest_plan.h"
#include "drivers/qemu/qemu_driver_parts.h"
#include "drivers/qemu/tsc.h"

namespace skerry {
namespace cloud_hypervisor {
namespace {

using qemu::Accelerator;
using qemu::AcceleratorVerdict;
using qemu::AgentClient;

constexpr Duration kCallTimeout = std::chrono::seconds(10);
// As for QEMU's probe: a guest under KVM is up in well under a second, an instruction emulator takes minutes.
constexpr Duration kProbeTimeout = std::chrono::seconds(3);
constexpr Duration kEndTimeout = std::chrono::seconds(5);
constexpr const char* kUseQemu = "start skerryd with --microvm-driver qemu";

std::unexpected<Error> refused(const EnvironmentPlace& place, std::string_view what) {
  return fail(ErrorCode::kUnsupported, cat(place.name, ": a microVM of Cloud Hypervisor ", what), kUseQemu);
}

class CloudHypervisorDriver final : public qemu::QemuDriver {
 public:
  using QemuDriver::QemuDriver;

  Result<Started> start(const Launch& launch) override;
  Status adopt(const EnvironmentPlace& place) override;
  Status pause(const EnvironmentPlace& place) override;
  Status resume(const EnvironmentPlace& place) override;
  Status suspend(const EnvironmentPlace& place) override { return refused(place, "cannot be suspended to disk"); }
  Status save(const EnvironmentPlace& place, const std::string& directory) override;
  Status restore(const EnvironmentPlace& place, const std::string& directory) override;

 protected:
  Result<AcceleratorVerdict> accelerator() override;
  Result<qemu::BootFilesSpec> boot_files_spec() override;
  Result<Started> begin(const Launch& launch, qemu::VmmSpec& spec, const wire::BootDocument& document) override;

 private:
  Result<AcceleratorVerdict> try_kvm();
  Status boot_probe();
};

// ── what the host offers ──

Result<AcceleratorVerdict> CloudHypervisorDriver::accelerator() {
  const std::lock_guard lock(verdict_mutex_);
  if (verdict_) return *verdict_;
  const auto verdict = TRY(try_kvm());
  if (verdict.accelerator != Accelerator::kKvm) {
    return fail(ErrorCode::kUnsupported, cat("Cloud Hypervisor needs hardware virtualisation: ", obstacle_of(verdict)),
                kUseQemu);
  }
  verdict_ = verdict;
  return *verdict_;
}

Result<AcceleratorVerdict> CloudHypervisorDriver::try_kvm() {
  if (!sys::exists(config_.program)) {
    return fail(ErrorCode::kUnsupported, cat("Cloud Hypervisor: ", config_.program, " is missing"),
                cat("install it, say where it is (--cloud-hypervisor), or ", kUseQemu));
  }
  if (config_.accel == AccelChoice::kTcg) {
    return AcceleratorVerdict{Accelerator::kTcg, "--accel tcg takes it away"};
  }
  if (auto obstacle = qemu::kvm_obstacle(); !obstacle.empty()) {
    return AcceleratorVerdict{Accelerator::kTcg, std::move(obstacle)};
  }
  if (config_.accel == AccelChoice::kKvm) {
    return AcceleratorVerdict{Accelerator::kKvm, "Cloud Hypervisor, KVM as configured"};
  }
  TRY(sys::mkdir_all(config_.cache_dir, 0755));
  const std::string key = TRY(qemu::accelerator_key(config_.program));
  auto verdict = TRY(qemu::probe_accelerator(config_.cache_dir + "/accelerator-cloud-hypervisor", key,
                                             [this] { return boot_probe(); }));
  if (verdict.accelerator == Accelerator::kKvm) verdict.reason = cat("Cloud Hypervisor, ", verdict.reason);
  return verdict;
}

Status CloudHypervisorDriver::boot_probe() {
  const std::string directory = config_.cache_dir + "/probe-cloud-hypervisor";
  return qemu::in_probe_place(jail_, "skerrychprobe", directory, [&](const EnvironmentPlace& place) -> Status {
    qemu::VmmSpec spec;
    spec.program = config_.program;
    spec.boot = TRY(boot_files());
    spec.accelerator = Accelerator::kKvm;
    spec.command_line =
        TRY(qemu::command_line(wire::BootDocument{}, {}, qemu::host_tsc_khz(), config_.guest_arguments)).text;
    TRY(make_vmm(jail_, place, spec));
    TRY(jail_.start(place));
    auto agent = TRY(AgentClient::connect(place.run_dir));
    TRY(boot_vmm(place, spec));
    TRY(agent.await_ready(kProbeTimeout));
    return {};
  });
}

// ── life ──

Result<qemu::BootFilesSpec> CloudHypervisorDriver::boot_files_spec() {
  auto spec = TRY(QemuDriver::boot_files_spec());
  spec.machine = qemu::BootFilesSpec::Machine::kPciVsock;
  // Its drivers are built in, for machines without a PCI bus only.
  if (spec.kernel.origin == GuestKernel::Origin::kBuilt) {
    return fail(ErrorCode::kUnsupported,
                "kernels of `skerry kernels build` have no driver for Cloud Hypervisor's devices",
                "use the distribution's kernel");
  }
  return spec;
}

Result<Started> CloudHypervisorDriver::start(const Launch& launch) {
  if (!qemu::guest_shares(launch.spec).empty()) return refused(launch.place, "sees no directories of the host");
  if (!launch.spec.devices.addresses.empty()) return refused(launch.place, "gets no PCI devices of the host");
  if (!launch.saved.empty() && qemu::has_memory({launch.saved})) {
    return refused(launch.place, "cannot go on from a memory snapshot");
  }
  return QemuDriver::start(launch);
}

Result<Started> CloudHypervisorDriver::begin(const Launch& launch, qemu::VmmSpec& spec, const wire::BootDocument&) {
  const auto& place = launch.place;
  if (const auto saved = qemu::suspended(place); qemu::has_memory(saved)) {
    log::warning("Cloud Hypervisor cannot go on with the saved memory, booting", {{"name", place.name}});
    TRY(qemu::forget_memory(saved));
  }
  TRY(make_layer(place, spec, nullptr));
  Started started;
  started.pid = TRY(make_vmm(jail_, place, spec));
  if (launch.attach) started.stdio = TRY(jail_.attach(place));
  // Before the guest runs, so that nothing it says is missed.
  auto agent = TRY(AgentClient::connect(place.run_dir));
  // The process alone is no run: its machine comes by the API.
  TRY(qemu::begin_unfinished(place));
  TRY(jail_.start(place));
  crash_point("a VMM without a machine");
  if (const auto booted = boot_vmm(place, spec); !booted) {
    // Its last words are on record when its keeper has gone.
    if (booted.error().code == ErrorCode::kUnavailable) static_cast<void>(jail_.await_end(place, kEndTimeout));
    return fail(why_ended(place, booted.error()));
  }
  crash_point("a machine boots");
  TRY(qemu::finish(place));
  TRY_IN("boot the guest", await_workload(launch, agent));
  return started;
}

// The VMM first, which stops the guest's clock; then the process. A guest whose VMM does not answer is not paused.
Status CloudHypervisorDriver::pause(const EnvironmentPlace& place) {
  auto api = TRY(connect_vmm(place));
  TRY(api.call(cloud_hypervisor::pause(), kCallTimeout));
  auto frozen = jail_.freeze(place);
  if (!frozen) static_cast<void>(api.call(cloud_hypervisor::resume(), kCallTimeout));
  return frozen;
}

Status CloudHypervisorDriver::resume(const EnvironmentPlace& place) {
  TRY(jail_.thaw(place));
  return adopt(place);
}

// A pause or a resume that was cut short between its two steps: the process runs, so shall the guest.
Status CloudHypervisorDriver::adopt(const EnvironmentPlace& place) {
  auto api = TRY(connect_vmm(place));
  if (TRY(machine_state(TRY(api.call(info(), kCallTimeout)))) != MachineState::kPaused) return {};
  TRY(api.call(cloud_hypervisor::resume(), kCallTimeout));
  return {};
}

Status CloudHypervisorDriver::save(const EnvironmentPlace& place, const std::string& directory) {
  const auto phase = TRY(observe(place)).phase;
  if (phase == Phase::kRunning || phase == Phase::kPaused) return refused(place, "cannot be saved while it runs");
  return QemuDriver::save(place, directory);
}

Status CloudHypervisorDriver::restore(const EnvironmentPlace& place, const std::string& directory) {
  if (qemu::has_memory({directory})) return refused(place, "cannot go on from a memory snapshot");
  return QemuDriver::restore(place, directory);
}

}  // namespace
}  // namespace cloud_hypervisor

std::unique_ptr<Driver> make_cloud_hypervisor_driver(JailConfig jail, ImageStore& images, QemuConfig config) {
  config.guest_arguments = cloud_hypervisor::kGuestArgument;
  config.most_templates = 0;
  return std::make_unique<cloud_hypervisor::CloudHypervisorDriver>(std::move(jail), images, std::move(config));
}

}  // namespace skerry
