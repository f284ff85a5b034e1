#include <fcntl.h>
#include <unistd.h>

#include "base/crash_point.h"
#include "base/file_io.h"
#include "base/filesystem_magic.h"
#include "base/keeper_protocol.h"
#include "base/log.h"
#include "base/rollback.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "core/net.h"
#include "drivers/attachment.h"
#include "drivers/qemu/guest_plan.h"
#include "drivers/qemu/guest_requests.h"
#include "drivers/qemu/qemu_driver_parts.h"
#include "drivers/qemu/shares.h"
#include "drivers/qemu/tsc.h"
#include "network/port.h"

namespace skerry::qemu {
namespace {

// kUnsupported when it is no file system that a guest can have as its root.
Result<std::string> disk_filesystem(const std::string& path) {
  const Fd file = TRY(sys::open(path, O_RDONLY));
  std::string bytes(kSuperblockBytes, '\0');
  const ssize_t got = ::pread(file.get(), bytes.data(), bytes.size(), 0);
  if (got < 0) return fail_errno(cat("read ", path));
  bytes.resize(static_cast<std::size_t>(got));
  const auto type = filesystem_of(bytes);
  if (!type.empty()) return std::string(type);
  const bool qcow2 = bytes.starts_with("QFI\xfb");
  return fail(ErrorCode::kUnsupported, qcow2 ? "a qcow2 image cannot be a root disk" : "the disk holds no file system",
              "give the bare file system: erofs, ext4, squashfs, xfs or btrfs (qemu-img convert -O raw)");
}

// What says more than the registers after it.
std::string_view from_panic(std::string_view console) {
  const auto panic = console.rfind("Kernel panic - not syncing");
  return panic == std::string_view::npos ? console : console.substr(panic, console.find('\n', panic) - panic);
}

// The end of the guest's console on one line, for an error.
std::string last_words(std::string_view console) {
  constexpr std::size_t kMost = 400;
  auto text = trim(from_panic(console));
  if (text.size() > kMost) text = text.substr(text.size() - kMost);
  std::string line = "the console was silent";
  if (!text.empty()) line = "the console ended with: ";
  bool blank = false;
  for (const char letter : text) {
    const bool visible = letter > ' ' && letter < 0x7F;
    if (!visible && !blank) line += letter == '\n' ? " | " : " ";
    if (visible) line += letter;
    blank = !visible;
  }
  return line;
}

}  // namespace

bool is_the_workloads_fault(const Error& error) {
  return error.code == ErrorCode::kCommandNotFound || error.code == ErrorCode::kNotExecutable ||
         error.code == ErrorCode::kNotFound || error.code == ErrorCode::kInvalidArgument;
}

void forget_saved(VmmSpec& spec) {
  spec.memory.reset();
  if (spec.own_memory) spec.memory = VmmMemory{spec.own_memory.get(), true};
  spec.incoming_state = -1;
}

// The read-only root disk; empty: the guest lives in its initramfs.
Result<std::string> QemuDriver::base_disk(const Launch& launch) {
  if (launch.image) return images_.base_disk(*launch.image, {});
  return launch.root_disk;
}

Status QemuDriver::choose_boot_files(const Launch& launch, const std::string& base_disk, VmmSpec& spec) {
  BootFilesSpec wanted = TRY(boot_files_spec());
  wanted.shares = !guest_shares(launch.spec).empty();
  wanted.seed = launch.spec.cloud_init.has_value();
  if (!launch.root_disk.empty()) wanted.root_filesystem = TRY_IN("rootfs", disk_filesystem(base_disk));
  spec.boot = launch.initramfs.empty()
                  ? TRY(prepare_boot_files(wanted))
                  : TRY(prepare_boot_files(wanted, launch.initramfs, launch.place.run_dir + "/initramfs"));
  return {};
}

Status QemuDriver::add_disks(const Launch& launch, VmmSpec& spec) {
  const std::string base = TRY(base_disk(launch));
  TRY(choose_boot_files(launch, base, spec));
  if (base.empty()) return {};
  const auto& place = launch.place;
  spec.disks.push_back(TRY(open_disk("root", base, true)));
  // An empty one is made when it is known from what.
  spec.blank_layer = !sys::exists(overlay_path(place));
  spec.disks.push_back(spec.blank_layer ? VmmDisk{"overlay", Fd(), false, config_.overlay_mib << 20U}
                                        : TRY(open_disk("overlay", overlay_path(place), false)));
  return {};
}

// The server has to see the guest's memory: a shared file.
Status QemuDriver::add_shares(const Launch& launch, VmmSpec& spec) {
  const auto mounts = guest_shares(launch.spec);
  if (mounts.empty()) return {};
  ShareJailInputs inputs;
  inputs.program = config_.share_server;
  inputs.memory_mib = spec.memory_mib;
  inputs.cpu_milli = spec.cpu_milli;
  for (const auto& mount : mounts) {
    auto share = share_of(mount);
    if (!share) return fail(std::move(share).error().in(cat("mount ", mount.target)));
    inputs.shares.push_back(std::move(*share));
  }
  spec.share = TRY(start_shares(jail_, launch.place, std::move(inputs)));
  spec.own_memory = TRY(memory_file(spec.memory_mib));
  spec.memory = VmmMemory{spec.own_memory.get(), true};
  return {};
}

// It says who the guest is: made anew for each run.
Status QemuDriver::add_seed(const Launch& launch, VmmSpec& spec) {
  if (!launch.spec.cloud_init) return {};
  const std::string path = launch.place.run_dir + "/seed.iso";
  TRY(write_file_atomic(path, TRY(make_seed_disk(seed_files(launch))), 0600));
  spec.disks.push_back(TRY(open_disk(kSeedDisk, path, true)));
  return {};
}

// The machine without what only one can have at a time: its network card's tap, the server of its shares.
Result<VmmSpec> QemuDriver::shape(const Launch& launch, const wire::BootDocument& document) {
  const auto& place = launch.place;
  VmmSpec spec;
  spec.program = config_.program;
  spec.accelerator = TRY(accelerator()).accelerator;
  spec.cpu_milli = launch.spec.resources.cpu_milli;
  spec.memory_mib = launch.spec.resources.memory_mib;
  const auto keys = guest_keys(launch, config_.api_port);
  const auto line = TRY(command_line(without_secrets(document), keys, host_tsc_khz(), config_.guest_arguments));
  spec.command_line = line.text;

  TRY(add_disks(launch, spec));
  if (!line.manifest_disk.empty()) {
    const std::string path = place.run_dir + "/manifest.img";
    TRY(write_file_atomic(path, line.manifest_disk, 0600));
    spec.disks.push_back(TRY(open_disk("manifest", path, true)));
  }
  TRY(add_seed(launch, spec));
  if (launch.network) spec.mac = launch.network->mac;
  return spec;
}

Status QemuDriver::attach_devices(const Launch& launch, VmmSpec& spec) {
  if (launch.network) spec.tap = TRY(network::attach_tap(TRY(port_of(launch))));
  spec.host_devices = TRY(take_host_devices(launch.place, launch.spec.devices, spec.accelerator));
  return add_shares(launch, spec);
}

// What the guest's end says more than the silence of its agent.
Error QemuDriver::why_ended(const EnvironmentPlace& place, const Error& seen) {
  if (seen.code != ErrorCode::kUnavailable) return seen;
  // The guest may be there still: it is its agent that nobody can talk to.
  if (const auto broken = read_file(KeeperPaths{place.run_dir}.channel_error())) {
    return {ErrorCode::kCorrupt, 0, cat("the guest's agent does not speak as one: ", trim(*broken)), {}};
  }
  const auto observed = observe_run(place);
  std::string reason = "the guest ended before it was ready";
  if (observed && !observed->reason.empty()) reason += cat(": ", observed->reason);
  const auto vmm = read_file(place.log_path() + ".vmm", 1U << 20U).value_or("");
  if (const auto text = trim(vmm); !text.empty()) reason += cat(": ", text.substr(text.rfind('\n') + 1));
  const auto server = read_file(shares_place(place).log_path(), 1U << 20U).value_or("");
  if (const auto text = trim(server); !text.empty()) reason += cat(": ", text.substr(text.rfind('\n') + 1));
  // The file itself goes with the environment that could not start.
  const auto console = read_file(place.log_path() + ".console", 1U << 20U).value_or("");
  return {ErrorCode::kUnavailable, 0, reason, last_words(console)};
}

Status QemuDriver::await_workload(const Launch& launch, AgentClient& agent) {
  auto hello = agent.await_ready(config_.boot_timeout);
  if (!hello) return fail(why_ended(launch.place, hello.error()));
  if (hello->error) return fail(std::move(*hello->error));
  if (hello->workload != "waiting") return {};
  wire::AgentRequest start;
  start.op = wire::AgentOp::kStart;
  start.env = TRY(secrets_of(TRY(boot_document(launch))));
  TRY(agent.request(start, kAgentTimeout));
  return {};
}

// The disk "overlay" of a new environment: an empty file system, or that of the template, which has it mounted.
Status QemuDriver::make_layer(const EnvironmentPlace& place, VmmSpec& spec, const Fd* like) {
  if (!spec.blank_layer) return {};
  const std::string path = overlay_path(place);
  if (like != nullptr) {
    TRY(copy_disk(cat("/proc/self/fd/", like->get()), path));
  } else {
    TRY(make_overlay_disk(path, config_.overlay_mib, boot_cache_));
  }
  for (auto& disk : spec.disks) {
    if (disk.serial == "overlay") disk = TRY(open_disk(disk.serial, path, false));
  }
  return {};
}

// A memory snapshot of the right shape whose kernel was told the same, or a new one. Guests of different zones share no
// memory (CVE-2015-2877).
Result<std::string> QemuDriver::fork_key(const Launch& launch, const VmmSpec& spec) {
  return cat(TRY(template_key(spec, TRY(base_disk(launch)), TRY(accelerator_key_once()))), "|", launch.spec.zone, "|",
             TRY(words_of(guest_keys(launch, config_.api_port))));
}

Result<std::shared_ptr<const MemoryTemplate>> QemuDriver::template_for(const Launch& launch, const VmmSpec& spec) {
  const std::string base = TRY(base_disk(launch));
  const std::string key = cat(TRY(fork_key(launch, spec)), spec.blank_layer ? "|blank" : "|own");
  return templates_.get(key, [&] {
    return make_template(
        jail_, spec,
        {template_place(), base, &boot_cache_, key, config_.boot_timeout, guest_keys(launch, config_.api_port)});
  });
}

// The machine of the template with its own devices behind. It runs as soon as it is loaded, and says nothing before it
// is asked.
Result<Started> QemuDriver::start_forked(const Launch& launch, VmmSpec& spec, const wire::BootDocument& document) {
  const auto& place = launch.place;
  const auto source = TRY(template_for(launch, spec));
  Rollback give_up;  // a template whose fork fails is not tried twice
  give_up.add([&] { templates_.drop(source->key); });
  const Fd state = TRY(borrow(*source, place, spec));
  TRY(begin_unfinished(place));
  auto started = run_vmm(jail_, place, spec, launch.attach);
  if (!started) return started;
  crash_point("a fork's machine waits in its jail");
  auto agent = TRY(AgentClient::connect(place.run_dir));
  auto told = TRY(QmpClient::load_devices(place.run_dir, kIncomingFd));
  crash_point("a fork loads its memory");
  auto became = become_environment(launch, std::move(told), agent, document, *started);
  if (started->answered_at.ns != 0) give_up.commit();
  if (!became) return fail(std::move(became).error());
  return started;
}

Status QemuDriver::become_environment(const Launch& launch, QmpClient told, AgentClient& agent,
                                      const wire::BootDocument& document, Started& started) {
  // Both at once: it answers to the first while the second waits for it.
  const auto hello = TRY(agent.post({}));
  const auto boot = TRY(agent.post(TRY(boot_request(document))));
  TRY_IN("wake the machine", told.obeyed());
  TRY_IN("wake the guest", agent.answer(hello, kAgentTimeout));
  started.answered_at = SystemClock().monotonic();
  TRY_IN("boot", agent.answer(boot, kAgentTimeout));
  crash_point("a fork has been told who it is");
  TRY_IN("boot the guest", await_workload(launch, agent));
  TRY(finish(launch.place));
  crash_point("a fork is started");
  return {};
}

// Its own writable layer, and the template's memory and devices to begin with. The descriptor it gives has to stay open
// until the machine is made.
Result<Fd> QemuDriver::borrow(const MemoryTemplate& source, const EnvironmentPlace& place, VmmSpec& spec) {
  TRY(make_layer(place, spec, source.layer ? &source.layer : nullptr));
  spec.memory = VmmMemory{source.memory.get(), false};
  // A description of its own: the offset is not shared with other forks.
  Fd state = TRY(sys::open(cat("/proc/self/fd/", source.state.get()), O_RDONLY));
  spec.incoming_state = state.get();
  return state;
}

// The machine is what it was, and stands still.
Result<QmpClient> QemuDriver::load(const EnvironmentPlace& place, QmpClient::SharedMemory handling) {
  auto qmp = TRY(QmpClient::connect(place.run_dir));
  TRY(qmp.set_shared_memory(handling));
  TRY(qmp.execute("migrate-incoming", cat(R"({"uri":"fd:)", kIncomingFd, R"("})")));
  TRY(qmp.await_migration(kAgentTimeout));
  return qmp;
}

Result<Started> QemuDriver::start_cold(const Launch& launch, const VmmSpec& spec) {
  const auto& place = launch.place;
  Started started;
  started.pid = TRY(create_vmm(jail_, place, spec));
  if (launch.attach) started.stdio = TRY(jail_.attach(place));
  // Before the guest runs, so that nothing it says is missed.
  auto agent = TRY(AgentClient::connect(place.run_dir));
  TRY(jail_.start(place));
  TRY_IN("boot the guest", await_workload(launch, agent));
  return started;
}

Result<Started> QemuDriver::start(const Launch& launch) {
  const auto& place = launch.place;
  if (TRY(observe(place)).phase != Phase::kAbsent) {
    return fail(ErrorCode::kConflict, cat("start ", place.name, ": an earlier run has not been cleaned up"));
  }
  const auto document = TRY(boot_document(launch));
  TRY(secrets_of(document));
  TRY(sys::mkdir_all(place.state_dir, 0700));
  TRY(sys::mkdir_all(place.run_dir, 0700));
  Rollback undo;
  undo.add([&] {
    if (auto collected = collect(place, launch.spec.kind); !collected) {
      log::warning("cannot undo a start", {{"name", place.name}, {"error", collected.error().message()}});
    }
  });
  TRY(take_saved(launch));
  VmmSpec spec = TRY(shape(launch, document));
  TRY(write_file_atomic(machine_path(place), TRY(machine_key(launch, spec)), 0600));
  auto taken = TRY(take_prepared(launch, spec, document));
  if (!taken) {
    TRY(attach_devices(launch, spec));
    taken = TRY(begin(launch, spec, document));
  }
  undo.commit();
  return std::move(*taken);
}

// From the memory it was suspended with, else from a template, else by booting.
Result<Started> QemuDriver::begin(const Launch& launch, VmmSpec& spec, const wire::BootDocument& document) {
  const auto& place = launch.place;
  TRY(check_suspended(place));
  if (const auto saved = suspended(place); has_memory(saved)) {
    TRY(make_layer(place, spec, nullptr));
    return start_saved_or_cold(launch, spec, saved);
  }
  if (can_fork(spec)) {
    auto forked = start_forked(launch, spec, document);
    if (forked || is_the_workloads_fault(forked.error())) return forked;
    log::warning("cannot start from a template, booting", {{"name", place.name}, {"error", forked.error().message()}});
    forget_saved(spec);
    TRY(jail_.clear(place));
    TRY(finish(place));
    if (spec.blank_layer) TRY(sys::remove_tree(overlay_path(place)));
  }
  TRY(make_layer(place, spec, nullptr));
  return start_cold(launch, spec);
}

}  // namespace skerry::qemu
