// LinuxRuntime: containers of namespaces and control groups. See runtime.h for the operations.
//
//   create ──▶ created ──start──▶ running ──pause──▶ paused
//                 │                 │  ▲                │
//                 │                 │  └────resume──────┘
//                 └──── exits ──────┴──▶ stopped ──delete──▶ gone
//
// Every operation is one process that reads what the one before it left in the state directory (state_store.h). What a
// killed operation leaves behind is removed by `delete --force`.
#pragma once

#include <functional>
#include <string>

#include "base/fd.h"
#include "oci/cgroup.h"
#include "oci/runtime.h"
#include "oci/state_store.h"

namespace skerry::oci {

struct JoinPlan;

struct RuntimeOptions {
  std::string root;  // state directory
  CgroupManager cgroup_manager = CgroupManager::kCgroupfs;
  // Gets what went wrong without being an error.
  std::function<void(std::string_view)> warn = [](std::string_view) {};
};

class LinuxRuntime final : public Runtime {
 public:
  explicit LinuxRuntime(RuntimeOptions options) : options_(std::move(options)), store_(options_.root) {}

  Status create(const CreateRequest& request) override;
  Status start(const std::string& id) override;
  Result<int> run(const RunRequest& request) override;
  Result<int> exec(const ExecRequest& request) override;
  Status kill(const KillRequest& request) override;
  Status remove(const std::string& id, Force force) override;
  Result<ContainerView> state(const std::string& id) override;
  Result<std::vector<ContainerView>> list() override;
  Result<std::vector<int>> processes(const std::string& id) override;
  Status pause(const std::string& id) override;
  Status resume(const std::string& id) override;
  Status update(const std::string& id, const Resources& resources) override;
  Result<std::string> statistics(const std::string& id) override;
  Status watch(const std::string& id, std::chrono::milliseconds interval, const TakeEvent& take) override;
  Result<std::string> features() override;
  Status checkpoint(const CheckpointRequest& request) override;
  Result<int> restore(const RestoreRequest& request) override;

 private:
  [[nodiscard]] ContainerStatus status_of(const ContainerRecord& record) const;
  // `known`: the container's hooks where they have been read already.
  Status remove_locked(const StateDir& dir, const ContainerRecord& record, const Hooks* known = nullptr);
  Status remove_after_run(const ContainerRecord& record, const Hooks& hooks);
  Status unblock(const std::string& id);
  Status end_processes(const ContainerRecord& record);
  Result<JoinPlan> plan_join(const ExecRequest& request, const ContainerRecord& record, const Spec& spec,
                             const Process& process, const CgroupDoor& door);
  Status hand_over(const ContainerRecord& record, const Fd& listener);
  Status run_poststart(const ContainerRecord& record);
  void run_poststart(const ContainerRecord& record, const Hooks& hooks);

  RuntimeOptions options_;
  StateStore store_;
};

// Whether the process the record names still runs (same pid, same start time, not a zombie).
bool is_alive(const ContainerRecord& record);

}  // namespace skerry::oci
