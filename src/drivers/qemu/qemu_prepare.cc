// Machines that are made before anybody asks for them (Driver::prepare()).
//
//   parked   the machine waits in its jail, with its disk and network card, for its memory (-incoming defer)
//   warmed   its guest was loaded, went through the motions of a boot (agent/rehearse.h), and was stopped
//
// What they have cost is written in run_dir/unfinished: nobody takes them for a run.
#include <algorithm>

#include "base/crash_point.h"
#include "base/file_io.h"
#include "base/log.h"
#include "base/rollback.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "drivers/qemu/guest_plan.h"
#include "drivers/qemu/guest_requests.h"
#include "drivers/qemu/qemu_driver_parts.h"
#include "network/port.h"

namespace skerry::qemu {
namespace {

// A guest that was up a moment ago: it has all it needs in memory.
constexpr Duration kRehearsalTimeout = std::chrono::seconds(30);
constexpr std::string_view kPreparedWord = "prepared";

// "prepared DRIVER MODE KEY": only the key may have blanks.
std::string encode(const Prepared& prepared) {
  return cat(kPreparedWord, " ", prepared.driver, " ", to_text(prepared.mode), " ", prepared.key);
}

std::string_view next_word(std::string_view& text) {
  const auto end = std::min(text.find(' '), text.size());
  const auto word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

}  // namespace

std::optional<Prepared> prepared(const EnvironmentPlace& place) {
  const auto content = read_file(unfinished_path(place));
  if (!content) return std::nullopt;
  std::string_view rest = *content;
  if (next_word(rest) != kPreparedWord) return std::nullopt;
  Prepared found;
  found.driver = next_word(rest);
  const auto mode = parse_warm_mode(next_word(rest));
  if (!mode) return std::nullopt;
  found.mode = *mode;
  found.key = rest;
  return found;
}

std::optional<Prepared> QemuDriver::prepared_for_us(const EnvironmentPlace& place) const {
  auto found = prepared(place);
  if (found && found->driver != own_token_) found.reset();
  return found;
}

Status QemuDriver::prepare(const Launch& launch, WarmMode mode) {
  const auto& place = launch.place;
  if (mode == WarmMode::kOff) return fail(ErrorCode::kInvalidArgument, cat("prepare ", place.name, ": for nothing"));
  if (TRY(observe(place)).phase != Phase::kAbsent || sys::exists(place.run_dir) || sys::exists(place.state_dir)) {
    return fail(ErrorCode::kConflict, cat("prepare ", place.name, ": there is something already"));
  }
  TRY(sys::mkdir_all(place.state_dir, 0700));
  TRY(sys::mkdir_all(place.run_dir, 0700));
  Rollback undo;
  undo.add([&] {
    if (auto gone = destroy(place); !gone) {
      log::warning("cannot undo a preparation", {{"id", place.id}, {"error", gone.error().message()}});
    }
  });
  VmmSpec spec = TRY(shape(launch, TRY(boot_document(launch))));
  if (!can_fork(spec) || !guest_shares(launch.spec).empty()) {
    return fail(ErrorCode::kUnsupported, cat("prepare ", place.name, ": it cannot start from a memory snapshot"),
                "it needs an image or a root disk, no directories of the host and no cloud-init");
  }
  TRY(attach_devices(launch, spec));
  const std::string key = TRY(fork_key(launch, spec));
  TRY(make_member(launch, spec, mode));
  TRY(write_file_atomic(unfinished_path(place), encode({own_token_, mode, key}), 0600));
  undo.commit();
  return {};
}

Status QemuDriver::make_member(const Launch& launch, VmmSpec& spec, WarmMode mode) {
  const auto& place = launch.place;
  const auto source = TRY(template_for(launch, spec));
  const Fd state = TRY(borrow(*source, place, spec));
  TRY(begin_unfinished(place));
  TRY(run_vmm(jail_, place, spec, false));
  crash_point("a machine is prepared");
  if (mode == WarmMode::kParked) {
    // Its answer says that it has come as far as it can.
    TRY(QmpClient::connect(place.run_dir));
    return {};
  }
  auto agent = TRY(AgentClient::connect(place.run_dir));
  TRY(TRY(QmpClient::load_devices(place.run_dir, kIncomingFd)).obeyed());
  TRY(agent.request(TRY(rehearsal_request(!spec.mac.empty())), kRehearsalTimeout));
  auto qmp = TRY(QmpClient::connect(place.run_dir));
  TRY(qmp.execute("stop"));
  crash_point("a guest is warmed");
  return {};
}

Result<std::optional<Started>> QemuDriver::take_prepared(const Launch& launch, VmmSpec& spec,
                                                         const wire::BootDocument& document) {
  const auto found = prepared_for_us(launch.place);
  if (!found) return std::nullopt;
  auto started = start_prepared(launch, spec, *found, document);
  if (started) return std::optional(std::move(*started));
  if (is_the_workloads_fault(started.error())) return fail(std::move(started).error());
  log::warning("cannot use what was prepared", {{"name", launch.place.name}, {"error", started.error().message()}});
  TRY(discard_prepared(launch.place));
  spec = TRY(shape(launch, document));
  return std::nullopt;
}

// The machine that waits here becomes the environment. kConflict: it is of another shape.
Result<Started> QemuDriver::start_prepared(const Launch& launch, const VmmSpec& spec, const Prepared& found,
                                           const wire::BootDocument& document) {
  const auto& place = launch.place;
  if (has_memory(suspended(place))) return fail(ErrorCode::kConflict, "it has a memory of its own to go on with");
  if (found.key != TRY(fork_key(launch, spec))) {
    return fail(ErrorCode::kConflict, "what was prepared is of another shape");
  }
  const auto observed = TRY(jail_.observe(place));
  if (observed.phase != Phase::kRunning) return fail(ErrorCode::kUnavailable, "what was prepared has ended");
  // From here on it is half an environment, for whoever comes after a kill.
  TRY(begin_unfinished(place));
  crash_point("a prepared machine is taken");
  Started started;
  started.pid = observed.pid;
  if (launch.attach) started.stdio = TRY(jail_.attach(place));
  auto agent = TRY(AgentClient::connect(place.run_dir));
  auto told = TRY(found.mode == WarmMode::kWarmed ? QmpClient::go_on(place.run_dir)
                                                  : QmpClient::load_devices(place.run_dir, kIncomingFd));
  TRY(become_environment(launch, std::move(told), agent, document, started));
  return started;
}

// What was prepared and does not fit goes, so that the place is as if nothing had been.
Status QemuDriver::discard_prepared(const EnvironmentPlace& place) {
  TRY(jail_.clear(place));
  TRY(network::detach(place.id));
  TRY(sys::remove_tree(overlay_path(place)));
  return finish(place);
}

}  // namespace skerry::qemu
