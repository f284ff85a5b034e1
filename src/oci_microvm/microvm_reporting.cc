// MicrovmRuntime: what tells about containers.
#include <ctime>

#include "base/text.h"
#include "oci/container_list.h"
#include "oci_microvm/microvm_runtime.h"
#include "wire/oci_spec_features.h"

namespace skerry::oci_microvm {

Result<oci::ContainerView> MicrovmRuntime::state(const std::string& id) {
  oci::ContainerView view{TRY(store_.load(id)), {}};
  view.status = status_of(view.record);
  return view;
}

Result<std::vector<oci::ContainerView>> MicrovmRuntime::list() { return oci::list_containers(*this, store_, options_); }

// The VMM: the guest's own processes have no number here.
Result<std::vector<int>> MicrovmRuntime::processes(const std::string& id) {
  TRY(store_.load(id));
  const auto observed = TRY(jail().observe(place(id)));
  const bool runs = observed.phase == Phase::kRunning || observed.phase == Phase::kPaused;
  return runs ? std::vector<int>{static_cast<int>(observed.pid)} : std::vector<int>{};
}

Result<std::string> MicrovmRuntime::statistics(const std::string& id) {
  TRY(store_.load(id));
  const auto sample = TRY(jail().usage(place(id)));
  oci::ContainerStatistics statistics;
  statistics.cpu_total_ns = sample.cpu_ns.value_or(0);
  statistics.memory_usage = sample.memory_bytes.value_or(0);
  statistics.memory_peak = sample.memory_peak_bytes.value_or(0);
  statistics.pids_current = sample.pids.value_or(0);
  return oci::statistics_document(id, statistics);
}

Status MicrovmRuntime::watch(const std::string& id, std::chrono::milliseconds interval, const oci::TakeEvent& take) {
  while (true) {
    const auto status = TRY(state(id)).status;
    if (status == oci::ContainerStatus::kStopped) return {};
    TRY(take(TRY(statistics(id))));
    const auto end = TRY(jail().await_end(place(id), interval));
    if (end) return {};
  }
}

Result<std::string> MicrovmRuntime::features() {
  oci::Features out;
  out.mount_options = {"bind", "rbind", "ro", "rro", "rw", "rprivate", "size="};
  out.namespaces = {"ipc", "mount", "network", "pid", "uts"};
  out.annotations["skerry.runtime"] = "microvm";
  return oci::to_json(out);
}

Status MicrovmRuntime::checkpoint(const oci::CheckpointRequest& request) {
  return fail(ErrorCode::kUnsupported,
              cat("checkpoint of \"", request.id, "\": not with a microVM that sees the host"));
}

Result<int> MicrovmRuntime::restore(const oci::RestoreRequest& /*request*/) {
  return fail(ErrorCode::kUnsupported, "restore: not with a microVM");
}

}  // namespace skerry::oci_microvm
