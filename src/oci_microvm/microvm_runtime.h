// MicrovmRuntime: an OCI runtime whose containers are microVMs, each with a kernel of its own.
//
//   create   record ─▶ shares, network ─▶ VMM in its jail boots ─▶ guest waits ─▶ supervisor (supervisor.h), pid file
//   start    the agent runs the workload
//   …        supervisor ends with the workload's code
//   delete   jails, shares, network, record: whatever is left of them
//
// The state directory is skerry-oci's (oci/state_store.h) with, in each container's,
//   vm/      the machine (microvm.h)
//   started  empty: start has been called
// What a configuration cannot have with a microVM is refused when it is created (guest_of_spec.h).
#pragma once

#include "drivers/jail.h"
#include "oci/linux_runtime.h"
#include "oci/runtime.h"
#include "oci/state_store.h"
#include "oci_microvm/microvm.h"
#include "oci_microvm/supervisor.h"

namespace skerry::oci_microvm {

class MicrovmRuntime final : public oci::Runtime {
 public:
  MicrovmRuntime(oci::RuntimeOptions options, Programs programs)
      : options_(std::move(options)), programs_(std::move(programs)), store_(options_.root) {}

  Status create(const oci::CreateRequest& request) override;
  Status start(const std::string& id) override;
  Result<int> run(const oci::RunRequest& request) override;
  Result<int> exec(const oci::ExecRequest& request) override;
  Status kill(const oci::KillRequest& request) override;
  Status remove(const std::string& id, Force force) override;
  Result<oci::ContainerView> state(const std::string& id) override;
  Result<std::vector<oci::ContainerView>> list() override;
  Result<std::vector<int>> processes(const std::string& id) override;
  Status pause(const std::string& id) override;
  Status resume(const std::string& id) override;
  Status update(const std::string& id, const oci::Resources& resources) override;
  Result<std::string> statistics(const std::string& id) override;
  Status watch(const std::string& id, std::chrono::milliseconds interval, const oci::TakeEvent& take) override;
  Result<std::string> features() override;
  Status checkpoint(const oci::CheckpointRequest& request) override;
  Result<int> restore(const oci::RestoreRequest& request) override;

 private:
  enum class Stdio : std::uint8_t { kSupervised, kOurs };
  struct Created {
    oci::ContainerRecord record;
    oci::Spec spec;
    Conversation stdio;            // Stdio::kOurs
    std::optional<Holder> holder;  // likewise
  };
  Result<Created> make(const oci::CreateRequest& request, Stdio stdio);
  [[nodiscard]] Jail jail(const std::string& control_group = {}) const {
    return Jail(jail_config(programs_, store_.root(), control_group));
  }
  [[nodiscard]] EnvironmentPlace place(const std::string& id) const { return microvm_place(store_.directory(id), id); }
  [[nodiscard]] std::string started_file(const std::string& id) const { return store_.directory(id) + "/started"; }
  [[nodiscard]] oci::ContainerStatus status_of(const oci::ContainerRecord& record) const;
  Result<oci::ContainerRecord> require(const std::string& id, std::string_view doing,
                                       std::initializer_list<oci::ContainerStatus> allowed) const;
  Status remove_all(const oci::StateDir& dir, const oci::ContainerRecord& record);

  oci::RuntimeOptions options_;
  Programs programs_;
  oci::StateStore store_;
};

}  // namespace skerry::oci_microvm
