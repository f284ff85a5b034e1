#include <fcntl.h>
#include <unistd.h>

#include "base/crash_point.h"
#include "base/file_io.h"
#include "base/filesystem_magic.h"
#include "base/log.h"
#include "base/rollback.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "core/net.h"
#include "drivers/qemu/guest_plan.h"
#include "drivers/qemu/guest_requests.h"
#include "drivers/qemu/qemu_driver_parts.h"
#include "drivers/qemu/shares.h"
#include "drivers/qemu/tsc.h"
#include "network/port.h"

namespace skerry::qemu {
namespace {

// Errors that another way of starting would only repeat.
bool is_the_workloads_fault(const Error& error) {
  return error.code == ErrorCode::kCommandNotFound || error.code == ErrorCode::kNotExecutable ||
         error.code == ErrorCode::kNotFound || error.code == ErrorCode::kInvalidArgument;
}

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

// The end of the guest's console on one line, for an error.
std::string last_words(std::string_view console) {
  constexpr std::size_t kMost = 400;
  auto text = trim(console);
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
  spec.disks.push_back({"root", TRY(sys::open(base, O_RDONLY)), true});
  TRY(make_overlay_disk(overlay_path(place), config_.overlay_mib, config_.cache_dir));
  spec.disks.push_back({"overlay", TRY(sys::open(overlay_path(place), O_RDWR)), false});
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

Result<VmmSpec> QemuDriver::prepare(const Launch& launch, const wire::BootDocument& document) {
  const auto& place = launch.place;
  VmmSpec spec;
  spec.program = config_.program;
  spec.accelerator = TRY(accelerator()).accelerator;
  spec.cpu_milli = launch.spec.resources.cpu_milli;
  spec.memory_mib = launch.spec.resources.memory_mib;
  const auto line = TRY(command_line(document, launch.spec.plugin, host_tsc_khz()));
  spec.command_line = line.text;

  TRY(add_disks(launch, spec));
  if (!line.manifest_disk.empty()) {
    const std::string path = place.run_dir + "/manifest.img";
    TRY(write_file_atomic(path, line.manifest_disk, 0600));
    spec.disks.push_back({"manifest", TRY(sys::open(path, O_RDONLY)), true});
  }
  if (const auto& net = launch.network) {
    network::PortSpec port;
    port.bridge = net->bridge;
    port.environment = place.id;
    port.address = {TRY(Ipv4::parse(net->ip)), net->prefix};
    port.gateway = TRY(Ipv4::parse(net->gateway));
    port.mac = TRY(MacAddress::parse(net->mac));
    spec.tap = TRY(network::attach_tap(port));
    spec.mac = net->mac;
  }
  TRY(add_shares(launch, spec));
  return spec;
}

// What the guest's end says more than the silence of its agent.
Error QemuDriver::why_ended(const EnvironmentPlace& place, const Error& seen) {
  if (seen.code != ErrorCode::kUnavailable) return seen;
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

Status QemuDriver::await_workload(const EnvironmentPlace& place, AgentClient& agent) {
  auto hello = agent.await_ready(config_.boot_timeout);
  if (!hello) return fail(why_ended(place, hello.error()));
  if (hello->error) return fail(std::move(*hello->error));
  return {};
}

// A memory snapshot of the right shape, or a new one; then the same machine with its own devices behind.
Result<Started> QemuDriver::start_forked(const Launch& launch, VmmSpec& spec, const wire::BootDocument& document) {
  const auto& place = launch.place;
  const std::string base = TRY(base_disk(launch));
  const std::string key = TRY(template_key(spec, base, TRY(accelerator_key_once())));
  const auto source = TRY(templates_.get(key, [&] {
    const std::string dir = cat(config_.cache_dir, "/template");
    const EnvironmentPlace own{cat("template-", place.id), "template", dir + "/state", dir + "/run"};
    return make_template(jail_, own, spec, base, key, config_.boot_timeout);
  }));
  spec.memory = VmmMemory{source->memory.get(), false};
  // A description of its own: the offset is not shared with other forks.
  const Fd state = TRY(sys::open(cat("/proc/self/fd/", source->state.get()), O_RDONLY));
  spec.incoming_state = state.get();
  Rollback give_up;  // a template whose fork fails is not tried twice
  give_up.add([&] { templates_.drop(key); });
  TRY(begin_unfinished(place));
  Started started;
  started.pid = TRY(create_vmm(jail_, place, spec));
  crash_point("a fork's machine waits in its jail");
  if (launch.attach) started.stdio = TRY(jail_.attach(place));
  auto agent = TRY(AgentClient::connect(place.run_dir));
  TRY(jail_.start(place));
  auto qmp = TRY(load(place, QmpClient::SharedMemory::kIgnored));
  crash_point("a fork has its memory");
  TRY(qmp.execute("cont"));
  give_up.commit();
  crash_point("a fork runs");
  TRY(agent.request(TRY(boot_request(document)), kAgentTimeout));
  crash_point("a fork has been told who it is");
  TRY_IN("boot the guest", await_workload(place, agent));
  TRY(finish(place));
  crash_point("a fork is started");
  return started;
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
  TRY_IN("boot the guest", await_workload(place, agent));
  return started;
}

Result<Started> QemuDriver::start(const Launch& launch) {
  const auto& place = launch.place;
  if (TRY(observe(place)).phase != Phase::kAbsent) {
    return fail(ErrorCode::kConflict, cat("start ", place.name, ": an earlier run has not been cleaned up"));
  }
  const auto document = TRY(boot_document(launch));
  TRY(sys::mkdir_all(place.state_dir, 0700));
  TRY(sys::mkdir_all(place.run_dir, 0700));
  Rollback undo;
  undo.add([&] {
    if (auto collected = collect(place, launch.spec.kind); !collected) {
      log::warning("cannot undo a start", {{"name", place.name}, {"error", collected.error().message()}});
    }
  });
  TRY(take_saved(launch));
  VmmSpec spec = TRY(prepare(launch, document));
  TRY(write_file_atomic(machine_path(place), TRY(machine_key(launch, spec)), 0600));
  if (const auto saved = suspended(place); has_memory(saved)) {
    auto resumed = start_saved_or_cold(launch, spec, saved);
    if (resumed) undo.commit();
    return resumed;
  }
  auto started = can_fork(spec) ? start_forked(launch, spec, document) : start_cold(launch, spec);
  if (!started && can_fork(spec) && !is_the_workloads_fault(started.error())) {
    log::warning("cannot start from a template, booting", {{"name", place.name}, {"error", started.error().message()}});
    forget_saved(spec);
    TRY(jail_.remove(place));
    TRY(finish(place));
    started = start_cold(launch, spec);
  }
  if (started) undo.commit();
  return started;
}

}  // namespace skerry::qemu
