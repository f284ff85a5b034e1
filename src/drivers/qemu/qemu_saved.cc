#include <fcntl.h>

#include "base/crash_point.h"
#include "base/file_io.h"
#include "base/log.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "drivers/qemu/guest_requests.h"
#include "drivers/qemu/qemu_driver_parts.h"
#include "drivers/qemu/shares.h"
#include "drivers/qemu/vmm_jail.h"

namespace skerry::qemu {

// The form of the memory is part of it: QEMU names its blocks by that.
Result<std::string> QemuDriver::machine_key(const Launch& launch, const VmmSpec& spec) {
  return cat(TRY(template_key(spec, TRY(base_disk(launch)), TRY(accelerator_key_once()))), "|",
             can_fork(spec) ? "memory0" : "anonymous");
}

namespace {

Status check_snapshot(const SavedRun& source) {
  auto same = check_file(source.overlay(), source.overlay_was());
  if (same && sys::exists(source.machine())) same = check_file(source.memory(), source.memory_was());
  if (same) return {};
  return fail(same.error().code, same.error().message(), "take another snapshot and remove this one");
}

Status copy_overlay(const std::string& from, const SavedRun& to) {
  TRY(copy_disk(from, to.overlay()));
  return note_file(to.overlay(), to.overlay_was());
}

}  // namespace

// Its memory with another disk, or another memory, would be a guest that nobody has ever seen.
Status QemuDriver::check_suspended(const EnvironmentPlace& place) {
  const SavedRun saved = suspended(place);
  auto same = check_file(saved.memory(), saved.memory_was());
  if (same) same = check_file(overlay_path(place), saved.overlay_was());
  if (same) return {};
  TRY(forget_memory(saved));
  return fail(ErrorCode::kCorrupt, cat("cannot go on with its memory, which is given up: ", same.error().message()),
              cat("skerry start ", place.name, " boots it from its disk"));
}

// The disk and memory a fork begins with become its own.
Status QemuDriver::take_saved(const Launch& launch) {
  if (launch.saved.empty()) return {};
  const SavedRun source{launch.saved};
  const SavedRun own = suspended(launch.place);
  TRY(check_snapshot(source));
  TRY(copy_disk(source.overlay(), overlay_path(launch.place)));
  return share_memory(source, own);
}

Result<Started> QemuDriver::start_saved(const Launch& launch, VmmSpec& spec, const SavedRun& saved) {
  const auto& place = launch.place;
  const std::string now = TRY(machine_key(launch, spec));
  if (TRY(read_file(saved.machine())) != now) return fail(ErrorCode::kConflict, "the machine is another by now");
  const Fd state = TRY(sys::open(saved.memory(), O_RDONLY));
  spec.incoming_state = state.get();
  const Fd memory = can_fork(spec) ? TRY(memory_file(spec.memory_mib)) : Fd();
  if (memory) spec.memory = VmmMemory{memory.get(), true};
  TRY(begin_unfinished(place));
  Started started;
  started.pid = TRY(create_vmm(jail_, place, spec));
  if (launch.attach) started.stdio = TRY(jail_.attach(place));
  auto agent = TRY(AgentClient::connect(place.run_dir));
  TRY(jail_.start(place));
  auto qmp = TRY(load(place, QmpClient::SharedMemory::kIncluded));
  crash_point("a saved run has its memory");
  // From here on the disk is no longer that of this memory.
  TRY(forget_memory(saved));
  crash_point("what was saved is used up");
  TRY(qmp.execute("cont"));
  crash_point("a saved run goes on");
  TRY(agent.request(TRY(identity_request(launch)), kAgentTimeout));
  crash_point("a saved run has been told who it is");
  TRY(finish(place));
  return started;
}

// What cannot be gone on with is not lost: the disk is as the moment of the save left it, so the guest boots.
Result<Started> QemuDriver::start_saved_or_cold(const Launch& launch, VmmSpec& spec, const SavedRun& saved) {
  auto started = start_saved(launch, spec, saved);
  if (!started) {
    log::warning("cannot go on with the saved memory, booting",
                 {{"name", launch.place.name}, {"error", started.error().message()}});
    forget_saved(spec);
    TRY(jail_.clear(launch.place));
    TRY(forget_memory(saved));
    TRY(finish(launch.place));
    started = start_cold(launch, spec);
    // It runs in another form than it says.
    if (started) TRY(write_file_atomic(machine_path(launch.place), "booted anew", 0600));
  }
  return started;
}

// The guest's file systems are on the disk, its channel is silent, its processors stand still.
Result<QmpClient> QemuDriver::halt(const EnvironmentPlace& place) {
  auto agent = TRY(AgentClient::connect(place.run_dir));
  wire::AgentRequest sync;
  sync.op = wire::AgentOp::kSync;
  TRY(agent.request(sync, kAgentTimeout));
  auto qmp = TRY(QmpClient::connect(place.run_dir));
  TRY(qmp.execute("stop"));
  return qmp;
}

// The state of its file system lies in the server too, and QEMU (7.2) cannot move it; that of a device of the host lies
// in the device.
Status refuse_memory_with_parts_elsewhere(const EnvironmentPlace& place, std::string_view doing) {
  if (has_host_devices(place)) {
    return fail(ErrorCode::kUnsupported, cat(doing, " ", place.name, ": it has PCI devices of the host"),
                "stop it first: its disk can be saved then");
  }
  if (!has_shares(place)) return {};
  return fail(ErrorCode::kUnsupported, cat(doing, " ", place.name, ": it sees directories of the host (-v)"),
              "stop it first: its disk can be saved then");
}

Status QemuDriver::suspend(const EnvironmentPlace& place) {
  TRY(require_running(place, "suspend"));
  TRY(refuse_memory_with_parts_elsewhere(place, "suspend"));
  const SavedRun saved = suspended(place);
  TRY(sys::mkdir_all(saved.directory, 0700));
  // Before it is stopped: nothing between that and save_memory() may fail.
  const std::string machine = TRY(read_file(machine_path(place)));
  const std::uint32_t memory_mib = TRY(memory_mib_of(TRY(jail_.read_config(place))));
  auto qmp = TRY(halt(place));
  auto written = save_memory(qmp, place, saved, machine, memory_mib);
  if (!written) {
    static_cast<void>(forget_memory(saved));
    TRY(carry_on(qmp));
    return written;
  }
  TRY(jail_.kill(place));
  if (sys::exists(overlay_path(place))) TRY(note_file(overlay_path(place), saved.overlay_was()));
  // The disk belongs to the memory: it stays, whatever the kind.
  return collect(place, Kind::kApp);
}

// Only a save or a suspend stops a machine by QMP (a pause freezes the VMM), and neither outlives its daemon: a guest
// that stands still here would do so for ever.
Status QemuDriver::adopt(const EnvironmentPlace& place) {
  // First: from the first instruction on its disk is no longer that of this memory, be it half or whole.
  TRY(sys::remove_tree(suspended(place).directory));
  auto qmp = TRY(QmpClient::connect(place.run_dir));
  const std::string status = TRY(qmp.execute("query-status")).text("status");
  if (status != "running") {
    TRY(carry_on(qmp));
    log::info("a guest that a killed daemon had stopped goes on", {{"name", place.name}, {"was", status}});
  }
  // The next request ends the silence of the channel. A guest that is not up yet has none to end.
  if (auto agent = AgentClient::connect(place.run_dir)) static_cast<void>(agent->request({}, kAgentTimeout));
  return {};
}

Status QemuDriver::save(const EnvironmentPlace& place, const std::string& directory) {
  const SavedRun saved{directory};
  const auto phase = TRY(observe(place)).phase;
  if (phase == Phase::kPaused) return require_running(place, "save");
  if (phase != Phase::kRunning) {
    if (!sys::exists(overlay_path(place))) {
      return fail(ErrorCode::kConflict, cat("save ", place.name, ": it has no disk"), "start it first");
    }
    TRY(share_memory(suspended(place), saved));
    return copy_overlay(overlay_path(place), saved);
  }
  TRY(refuse_memory_with_parts_elsewhere(place, "save"));
  // Before it is stopped: nothing between that and save_memory() may fail.
  const std::string machine = TRY(read_file(machine_path(place)));
  const std::uint32_t memory_mib = TRY(memory_mib_of(TRY(jail_.read_config(place))));
  auto qmp = TRY(halt(place));
  auto written = save_memory(qmp, place, saved, machine, memory_mib);
  crash_point("a saved guest stands still");
  if (written && sys::exists(overlay_path(place))) written = copy_overlay(overlay_path(place), saved);
  if (!written) static_cast<void>(forget_memory(saved));
  TRY(carry_on(qmp));
  // The next request ends the silence of the channel.
  auto agent = TRY(AgentClient::connect(place.run_dir));
  TRY(agent.request({}, kAgentTimeout));
  return written;
}

Status QemuDriver::restore(const EnvironmentPlace& place, const std::string& directory) {
  if (TRY(observe(place)).phase != Phase::kAbsent) {
    return fail(ErrorCode::kConflict, cat("restore ", place.name, ": it runs"), "stop it first");
  }
  const SavedRun source{directory};
  const SavedRun own = suspended(place);
  TRY(check_snapshot(source));
  TRY(forget_memory(own));
  crash_point("what was to be restored over has no memory");
  if (sys::exists(source.overlay())) TRY(copy_disk(source.overlay(), overlay_path(place)));
  crash_point("what is restored has its disk");
  TRY(share_memory(source, own));
  return has_memory(own) ? note_file(overlay_path(place), own.overlay_was()) : Status();
}

}  // namespace skerry::qemu
