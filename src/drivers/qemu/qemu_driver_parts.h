// QemuDriver: the class behind make_qemu_driver(). Its parts, by the life of a guest:
//
//   qemu_driver.cc   what the host offers; observe, stop, signal, exec; the end
//   qemu_start.cc    from a Launch to a machine, booted or forked
//   qemu_prepare.cc  machines made before anybody asks for them
//   qemu_saved.cc    a run on disk: suspend, save, restore, going on, taking over from a daemon that was killed
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "drivers/qemu/accelerator.h"
#include "drivers/qemu/agent_client.h"
#include "drivers/qemu/boot_files.h"
#include "drivers/qemu/cloud_seed.h"
#include "drivers/qemu/host_devices.h"
#include "drivers/qemu/memory_template.h"
#include "drivers/qemu/qemu_driver.h"
#include "drivers/qemu/qmp_client.h"
#include "drivers/qemu/saved_run.h"
#include "drivers/qemu/vmm.h"

namespace skerry::qemu {

// One question to the guest's agent.
inline constexpr Duration kAgentTimeout = std::chrono::seconds(10);

// Where the next start() finds the memory to go on with.
SavedRun suspended(const EnvironmentPlace& place);
// The machine of the current run (SavedRun::machine).
std::string machine_path(const EnvironmentPlace& place);
std::string overlay_path(const EnvironmentPlace& place);
// Of a run that goes on from a memory: it is somebody only when it has been told who it is. Until then this file is in
// its run directory, so that nobody takes it for a run when its daemon is killed. A guest that boots has been told
// beforehand (under a VMM that is given its machine after it has started, the file stands until that boots), and a run
// of a version that knew no such file is complete.
std::string unfinished_path(const EnvironmentPlace& place);
Status begin_unfinished(const EnvironmentPlace& place);
// The same file says of a machine that prepare() made for whom it waits and what it is; for start() of the same driver
// it is as if there were nothing.
struct Prepared {
  std::string driver;  // whose it is: QemuDriver::own_token_
  WarmMode mode = WarmMode::kOff;
  std::string key;  // of its shape
};
// nullopt: there is none.
std::optional<Prepared> prepared(const EnvironmentPlace& place);
Status finish(const EnvironmentPlace& place);
// A machine without what a saved one or a template lends it: for a boot.
void forget_saved(VmmSpec& spec);
// Errors that another way of starting would only repeat.
bool is_the_workloads_fault(const Error& error);

// The parts that stand on the jail and the agent, not on QEMU, serve other VMMs too, which derive from it.
class QemuDriver : public Driver {
 public:
  QemuDriver(JailConfig jail, ImageStore& images, QemuConfig config);

  [[nodiscard]] Isolation isolation() const override { return Isolation::kMicrovm; }
  Availability availability() override;

  Result<Started> start(const Launch& launch) override;
  Status prepare(const Launch& launch, WarmMode mode) override;
  Result<Observation> observe(const EnvironmentPlace& place) override;
  Result<Fd> watch(const EnvironmentPlace& place) override { return jail_.watch(place); }

  Status adopt(const EnvironmentPlace& place) override;

  Status stop(const EnvironmentPlace& place, const StopRequest& request) override;
  Status signal(const EnvironmentPlace& place, int signal_number) override;
  Status pause(const EnvironmentPlace& place) override { return jail_.freeze(place); }
  Status resume(const EnvironmentPlace& place) override { return jail_.thaw(place); }

  Status collect(const EnvironmentPlace& place, Kind kind) override;
  Status destroy(const EnvironmentPlace& place) override;

  Result<Fd> guest_events(const EnvironmentPlace& place) override;
  Status suspend(const EnvironmentPlace& place) override;
  Status discard_suspended(const EnvironmentPlace& place) override { return forget_memory(suspended(place)); }
  Status save(const EnvironmentPlace& place, const std::string& directory) override;
  Status restore(const EnvironmentPlace& place, const std::string& directory) override;

  Result<Conversation> exec(const EnvironmentPlace& place, const ExecSpec& spec) override;
  Result<Conversation> attach(const EnvironmentPlace& place) override { return jail_.attach(place); }
  Result<Conversation> serial(const EnvironmentPlace& place) override;
  Result<UsageSample> stats(const EnvironmentPlace& place) override;

 protected:
  virtual Result<AcceleratorVerdict> accelerator();
  virtual Result<BootFilesSpec> boot_files_spec() { return BootFilesSpec{TRY(kernel()), config_.agent, &boot_cache_}; }
  // The kernel and initramfs of its guests, by what boot_files_spec() says.
  Result<BootFiles> boot_files() { return prepare_boot_files(TRY(boot_files_spec())); }
  // Machine and devices are ready: boots the guest, or lets it go on, until its workload runs.
  virtual Result<Started> begin(const Launch& launch, VmmSpec& spec, const wire::BootDocument& document);
  Status make_layer(const EnvironmentPlace& place, VmmSpec& spec, const Fd* like);
  // With what it has to know and may stand on no disk.
  Status await_workload(const Launch& launch, AgentClient& agent);
  Error why_ended(const EnvironmentPlace& place, const Error& seen);

  Jail jail_;
  QemuConfig config_;
  std::mutex verdict_mutex_;
  std::optional<AcceleratorVerdict> verdict_;

 private:
  // What is there of the run, finished or not.
  Result<Observation> observe_run(const EnvironmentPlace& place);
  Result<std::string> accelerator_key_once();
  // A fork gets its document by the channel; its manifest disk is only there to be the machine that the template was.
  [[nodiscard]] bool can_fork(const VmmSpec& spec) const {
    return config_.most_templates > 0 && !spec.share && spec.host_devices.empty() && !spec.disks.empty() &&
           spec.disks.front().serial == "root" && spec.disks.back().serial != kSeedDisk;
  }
  [[nodiscard]] Result<GuestKernel> kernel() const {
    if (!config_.kernel.empty()) return kernel_of_file(config_.kernel);
    return config_.kernels != nullptr ? config_.kernels->chosen() : host_kernel();
  }
  Status choose_boot_files(const Launch& launch, const std::string& base_disk, VmmSpec& spec);
  Status add_shares(const Launch& launch, VmmSpec& spec);
  Status add_seed(const Launch& launch, VmmSpec& spec);
  Status add_disks(const Launch& launch, VmmSpec& spec);
  Result<std::string> base_disk(const Launch& launch);
  Result<VmmSpec> shape(const Launch& launch, const wire::BootDocument& document);
  Status attach_devices(const Launch& launch, VmmSpec& spec);
  Result<std::string> fork_key(const Launch& launch, const VmmSpec& spec);
  Result<Fd> borrow(const MemoryTemplate& source, const EnvironmentPlace& place, VmmSpec& spec);
  // One is made at a time, always in the same place: what is found there is of a daemon that was killed.
  [[nodiscard]] EnvironmentPlace template_place() const;
  Result<std::shared_ptr<const MemoryTemplate>> template_for(const Launch& launch, const VmmSpec& spec);
  Result<Started> start_cold(const Launch& launch, const VmmSpec& spec);
  Result<Started> start_forked(const Launch& launch, VmmSpec& spec, const wire::BootDocument& document);
  Status make_member(const Launch& launch, VmmSpec& spec, WarmMode mode);
  [[nodiscard]] std::optional<Prepared> prepared_for_us(const EnvironmentPlace& place) const;
  // nullopt: nothing was prepared that it could become, and nothing of it is left.
  Result<std::optional<Started>> take_prepared(const Launch& launch, VmmSpec& spec, const wire::BootDocument& document);
  Result<Started> start_prepared(const Launch& launch, const VmmSpec& spec, const Prepared& found,
                                 const wire::BootDocument& document);
  Status discard_prepared(const EnvironmentPlace& place);
  Result<Started> start_saved(const Launch& launch, VmmSpec& spec, const SavedRun& saved);
  Result<Started> start_saved_or_cold(const Launch& launch, VmmSpec& spec, const SavedRun& saved);
  Status take_saved(const Launch& launch);
  // kCorrupt, without a memory from then on, when it is not what the run left.
  static Status check_suspended(const EnvironmentPlace& place);
  static Result<QmpClient> load(const EnvironmentPlace& place, QmpClient::SharedMemory handling);
  Result<std::string> machine_key(const Launch& launch, const VmmSpec& spec);
  Result<QmpClient> halt(const EnvironmentPlace& place);
  // A parked guest is told who it is, while its machine is still on the way to what `told` asked of it.
  Status become_environment(const Launch& launch, QmpClient told, AgentClient& agent,
                            const wire::BootDocument& document, Started& started);
  Status require_running(const EnvironmentPlace& place, std::string_view doing);

  ImageStore& images_;
  const std::string own_token_;  // no other driver, of this or another process, has it
  int late_probes_ = 0;
  std::string host_key_;
  BootCache boot_cache_{config_.cache_dir};
  TemplatePool templates_;
};

}  // namespace skerry::qemu
