#include "drivers/qemu/qemu_driver.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <mutex>
#include <utility>

#include "base/file_io.h"
#include "base/filesystem_magic.h"
#include "base/log.h"
#include "base/rollback.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "core/net.h"
#include "drivers/qemu/accelerator.h"
#include "drivers/qemu/accelerator_probe.h"
#include "drivers/qemu/agent_client.h"
#include "drivers/qemu/boot_files.h"
#include "drivers/qemu/guest_plan.h"
#include "drivers/qemu/memory_template.h"
#include "drivers/qemu/qmp_client.h"
#include "drivers/qemu/saved_run.h"
#include "drivers/qemu/shares.h"
#include "drivers/qemu/tsc.h"
#include "drivers/qemu/vmm.h"
#include "drivers/qemu/vmm_jail.h"
#include "network/port.h"

namespace skerry {
namespace {

using namespace qemu;

// Bytes of the host's random pool that a fork's own pool starts from.
constexpr std::size_t kSeedBytes = 64;
// A guest that is being shut down by its agent: what comes on top of the grace it was given.
constexpr Duration kShutdownMargin = std::chrono::seconds(5);
constexpr Duration kAgentTimeout = std::chrono::seconds(10);
// How many guests of a probe may be late before a daemon believes that the host is as slow as that.
constexpr int kMostLateProbes = 3;

// Errors that another way of starting would only repeat.
bool is_the_workloads_fault(const Error& error) {
  return error.code == ErrorCode::kCommandNotFound || error.code == ErrorCode::kNotExecutable ||
         error.code == ErrorCode::kNotFound || error.code == ErrorCode::kInvalidArgument;
}

Result<std::string> random_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  if (::getrandom(bytes.data(), size, 0) != static_cast<ssize_t>(size)) return fail_errno("getrandom");
  return bytes;
}

Result<wire::AgentRequest> boot_request(const wire::BootDocument& document) {
  wire::AgentRequest request;
  request.op = wire::AgentOp::kBoot;
  request.document = wire::encode_boot_document(document);
  if (document.network) request.identity.new_mac = document.network->mac;
  request.identity.random_seed = TRY(random_bytes(kSeedBytes));
  request.identity.wall_clock_ns = SystemClock().now().ns;
  return request;
}

// A guest that goes on learns the time; one that is somebody else by now learns who it is.
Result<wire::AgentRequest> identity_request(const Launch& launch) {
  wire::AgentRequest request;
  request.op = wire::AgentOp::kIdentity;
  auto& identity = request.identity;
  identity.random_seed = TRY(random_bytes(kSeedBytes));
  identity.wall_clock_ns = SystemClock().now().ns;
  identity.renew_ssh_host_keys = !launch.saved.empty();
  if (launch.saved.empty()) return request;
  constexpr std::size_t kMachineIdBytes = 16;
  identity.machine_id = to_hex(TRY(random_bytes(kMachineIdBytes)));
  const auto document = TRY(boot_document(launch));
  identity.hostname = document.hostname;
  identity.network = document.network;
  if (!identity.network) return request;
  identity.new_mac = identity.network->mac;
  identity.network->mac.clear();  // the one card it has, whatever it was called
  return request;
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

// Where the next start() finds the memory to go on with.
SavedRun suspended(const EnvironmentPlace& place) { return {place.state_dir + "/suspended"}; }
// The machine of the current run (SavedRun::machine).
std::string machine_path(const EnvironmentPlace& place) { return place.run_dir + "/machine"; }

std::string overlay_path(const EnvironmentPlace& place) { return place.state_dir + "/overlay.img"; }

// As prepare() left it: for a boot.
void forget_saved(VmmSpec& spec) {
  spec.memory.reset();
  if (spec.own_memory) spec.memory = VmmMemory{spec.own_memory.get(), true};
  spec.incoming_state = -1;
}

class QemuDriver final : public Driver {
 public:
  QemuDriver(JailConfig jail, ImageStore& images, QemuConfig config)
      : jail_(std::move(jail)), images_(images), config_(std::move(config)), templates_(config_.most_templates) {}

  [[nodiscard]] Isolation isolation() const override { return Isolation::kMicrovm; }
  Availability availability() override;

  Result<Started> start(const Launch& launch) override;
  Result<Observation> observe(const EnvironmentPlace& place) override;
  Result<Fd> watch(const EnvironmentPlace& place) override { return jail_.watch(place); }

  Status adopt(const EnvironmentPlace& place) override;

  Status stop(const EnvironmentPlace& place, const StopRequest& request) override;
  Status signal(const EnvironmentPlace& place, int signal_number) override;
  Status pause(const EnvironmentPlace& place) override { return jail_.freeze(place); }
  Status resume(const EnvironmentPlace& place) override { return jail_.thaw(place); }

  Status collect(const EnvironmentPlace& place, Kind kind) override;
  Status destroy(const EnvironmentPlace& place) override;

  Result<Fd> guest_events(const EnvironmentPlace& place) override {
    const auto broken = read_file(KeeperPaths{place.run_dir}.channel_error());
    if (broken) return fail(ErrorCode::kCorrupt, cat("its agent is lost: ", trim(*broken)));
    return unix_connect(KeeperPaths{place.run_dir}.channel_socket("agent"));
  }
  Status suspend(const EnvironmentPlace& place) override;
  Status discard_suspended(const EnvironmentPlace& place) override { return forget_memory(suspended(place)); }
  Status save(const EnvironmentPlace& place, const std::string& directory) override;
  Status restore(const EnvironmentPlace& place, const std::string& directory) override;

  Result<Conversation> exec(const EnvironmentPlace& place, const ExecSpec& spec) override;
  Result<Conversation> attach(const EnvironmentPlace& place) override { return jail_.attach(place); }
  Result<UsageSample> stats(const EnvironmentPlace& place) override { return jail_.usage(place); }

 private:
  Result<AcceleratorVerdict> accelerator();
  Result<std::string> accelerator_key_once();
  // A fork gets its document by the channel; its manifest disk is only there to be the machine that the template was.
  [[nodiscard]] bool can_fork(const VmmSpec& spec) const {
    return config_.most_templates > 0 && !spec.share && !spec.disks.empty() && spec.disks.front().serial == "root";
  }
  [[nodiscard]] Result<GuestKernel> kernel() const {
    if (!config_.kernel.empty()) return kernel_of_file(config_.kernel);
    return config_.kernels != nullptr ? config_.kernels->chosen() : host_kernel();
  }
  [[nodiscard]] Result<BootFilesSpec> boot_files_spec() const {
    return BootFilesSpec{TRY(kernel()), config_.agent, config_.cache_dir, "erofs"};
  }
  Result<BootFiles> boot_files() { return prepare_boot_files(TRY(boot_files_spec())); }
  Status choose_boot_files(const Launch& launch, const std::string& base_disk, VmmSpec& spec);
  Status add_shares(const Launch& launch, VmmSpec& spec);
  Status add_disks(const Launch& launch, VmmSpec& spec);
  Result<std::string> base_disk(const Launch& launch);
  Result<VmmSpec> prepare(const Launch& launch, const wire::BootDocument& document);
  Result<Started> start_cold(const Launch& launch, const VmmSpec& spec);
  Result<Started> start_forked(const Launch& launch, VmmSpec& spec, const wire::BootDocument& document);
  Result<Started> start_saved(const Launch& launch, VmmSpec& spec, const SavedRun& saved);
  Result<Started> start_saved_or_cold(const Launch& launch, VmmSpec& spec, const SavedRun& saved);
  Status take_saved(const Launch& launch);
  static Result<QmpClient> load(const EnvironmentPlace& place, QmpClient::SharedMemory handling);
  Result<std::string> machine_key(const Launch& launch, const VmmSpec& spec);
  Result<QmpClient> halt(const EnvironmentPlace& place);
  Status await_workload(const EnvironmentPlace& place, AgentClient& agent);
  Error why_ended(const EnvironmentPlace& place, const Error& seen);
  Status require_running(const EnvironmentPlace& place, std::string_view doing);

  Jail jail_;
  ImageStore& images_;
  QemuConfig config_;
  std::mutex verdict_mutex_;
  std::optional<AcceleratorVerdict> verdict_;
  int late_probes_ = 0;
  std::string host_key_;
  TemplatePool templates_;
};

// ── accelerator ──

Result<AcceleratorVerdict> QemuDriver::accelerator() {
  const std::lock_guard lock(verdict_mutex_);
  if (verdict_) return *verdict_;
  switch (config_.accel) {
    case AccelChoice::kTcg:
      verdict_ = AcceleratorVerdict{Accelerator::kTcg, "TCG, as configured; the jail is the security boundary"};
      break;
    case AccelChoice::kKvm:
      if (auto obstacle = kvm_obstacle(); !obstacle.empty()) {
        return fail(ErrorCode::kUnsupported, cat("KVM, as configured: ", obstacle), "use --accel auto");
      }
      verdict_ = AcceleratorVerdict{Accelerator::kKvm, "KVM, as configured"};
      break;
    case AccelChoice::kAuto:
      TRY(sys::mkdir_all(config_.cache_dir, 0755));
      const std::string key = TRY(accelerator_key(config_.program));
      auto verdict = TRY(probe_accelerator(config_.cache_dir + "/accelerator", key, [this]() -> Status {
        return boot_under_kvm(jail_, config_.program, TRY(boot_files()), config_.cache_dir + "/probe");
      }));
      // The next start asks again, but not for ever: each time costs it seconds.
      if (!verdict.settled && ++late_probes_ < kMostLateProbes) return verdict;
      verdict_ = verdict;
      break;
  }
  return *verdict_;
}

Result<std::string> QemuDriver::accelerator_key_once() {
  const std::lock_guard lock(verdict_mutex_);
  if (host_key_.empty()) host_key_ = TRY(accelerator_key(config_.program));
  return host_key_;
}

Availability QemuDriver::availability() {
  if (auto jail = jail_.availability(); !jail.available) return jail;
  for (const auto& path : {config_.program, config_.agent}) {
    if (!sys::exists(path)) return {false, cat(path, " is missing")};
  }
  if (const auto files = boot_files(); !files) return {false, files.error().message()};
  const auto verdict = accelerator();
  return verdict ? Availability{true, verdict->reason} : Availability{false, verdict.error().message()};
}

// ── start ──

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

// What the guest's end says more than the silence of its agent.
Error QemuDriver::why_ended(const EnvironmentPlace& place, const Error& seen) {
  if (seen.code != ErrorCode::kUnavailable) return seen;
  const auto observed = observe(place);
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
  Started started;
  started.pid = TRY(create_vmm(jail_, place, spec));
  if (launch.attach) started.stdio = TRY(jail_.attach(place));
  auto agent = TRY(AgentClient::connect(place.run_dir));
  TRY(jail_.start(place));
  auto qmp = TRY(load(place, QmpClient::SharedMemory::kIgnored));
  TRY(qmp.execute("cont"));
  give_up.commit();
  TRY(agent.request(TRY(boot_request(document)), kAgentTimeout));
  TRY_IN("boot the guest", await_workload(place, agent));
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
    started = start_cold(launch, spec);
  }
  if (started) undo.commit();
  return started;
}

// ── life ──

Result<Observation> QemuDriver::observe(const EnvironmentPlace& place) {
  auto observed = TRY(jail_.observe(place));
  if (observed.phase == Phase::kExited) {
    // The VMM's own exit code says nothing about the workload.
    const auto exit = read_keeper_exit(place.run_dir);
    // The agent has followed the restart policy before it told the workload's end.
    observed.restarts_spent = exit && exit->workload_code.has_value();
    if (exit && !exit->workload_code && !observed.exit_code.value_or(0)) observed.exit_code.reset();
    if (exit && !exit->workload_code && observed.reason.empty()) {
      observed.reason = "the guest went down without telling why: a panic, or power off from inside";
    }
  }
  // The shares are served before there is a VMM.
  if (observed.phase == Phase::kAbsent && (sys::exists(place.run_dir + "/vmm") || has_shares(place))) {
    observed.phase = Phase::kBroken;
    observed.reason = "a start was cut short";
  }
  if (observed.phase == Phase::kRunning && has_shares(place)) {
    const auto server = TRY(jail_.observe(shares_place(place)));
    if (server.phase != Phase::kRunning) {
      // The guest would hang at its next look into a directory of the host; nothing can take the server's place.
      observed.phase = Phase::kBroken;
      observed.reason = "the server of the host's directories ended";
    }
  }
  observed.suspended = observed.phase == Phase::kAbsent && has_memory(suspended(place));
  return observed;
}

Status QemuDriver::require_running(const EnvironmentPlace& place, std::string_view doing) {
  const auto observed = TRY(observe(place));
  if (observed.phase == Phase::kRunning) return {};
  const bool paused = observed.phase == Phase::kPaused;
  return fail(ErrorCode::kConflict, cat(doing, " ", place.name, ": it ", paused ? "is paused" : "does not run"),
              paused ? "resume it first" : "start it first");
}

Status QemuDriver::stop(const EnvironmentPlace& place, const StopRequest& request) {
  const auto observed = TRY(observe(place));
  const bool alive = observed.phase == Phase::kRunning || observed.phase == Phase::kPaused;
  if (!alive || request.grace_ms == 0) return jail_.kill(place);
  if (observed.phase == Phase::kPaused) TRY(jail_.thaw(place));
  wire::AgentRequest shutdown;
  shutdown.op = wire::AgentOp::kShutdown;
  shutdown.grace_ms = request.grace_ms;
  const Duration grace = std::chrono::milliseconds(request.grace_ms);
  auto agent = AgentClient::connect(place.run_dir);
  // No answer is no reason to wait less: the guest may be going down already.
  if (agent) static_cast<void>(agent->request(shutdown, std::min(grace, kAgentTimeout)));
  if (agent && TRY(jail_.await_end(place, grace + kShutdownMargin))) return {};
  return jail_.kill(place);
}

Status QemuDriver::signal(const EnvironmentPlace& place, int signal_number) {
  TRY(require_running(place, "signal"));
  auto agent = TRY(AgentClient::connect(place.run_dir));
  wire::AgentRequest request;
  request.op = wire::AgentOp::kSignal;
  request.signal = signal_number;
  TRY(agent.request(request, kAgentTimeout));
  return {};
}

Result<Conversation> QemuDriver::exec(const EnvironmentPlace& place, const ExecSpec& spec) {
  TRY(require_running(place, "run a command in"));
  if (spec.argv.empty()) return fail(ErrorCode::kInvalidArgument, "no command to run");
  auto agent = TRY(AgentClient::connect(place.run_dir));
  wire::AgentRequest request;
  request.op = wire::AgentOp::kExec;
  request.process.argv = spec.argv;
  for (const auto& [name, value] : spec.env) request.process.env.push_back(cat(name, "=", value));
  request.process.cwd = spec.workdir;
  request.process.user = spec.user;
  request.process.terminal = spec.terminal;
  request.process.size = spec.size;
  request.process.stdin_open = true;
  return std::move(agent).open(request, kAgentTimeout);
}

// ── on disk ──

// The form of the memory is part of it: QEMU names its blocks by that.
Result<std::string> QemuDriver::machine_key(const Launch& launch, const VmmSpec& spec) {
  return cat(TRY(template_key(spec, TRY(base_disk(launch)), TRY(accelerator_key_once()))), "|",
             can_fork(spec) ? "memory0" : "anonymous");
}

// The disk and memory a fork begins with become its own.
Status QemuDriver::take_saved(const Launch& launch) {
  if (launch.saved.empty()) return {};
  const SavedRun source{launch.saved};
  const SavedRun own = suspended(launch.place);
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
  Started started;
  started.pid = TRY(create_vmm(jail_, place, spec));
  if (launch.attach) started.stdio = TRY(jail_.attach(place));
  auto agent = TRY(AgentClient::connect(place.run_dir));
  TRY(jail_.start(place));
  auto qmp = TRY(load(place, QmpClient::SharedMemory::kIncluded));
  // From here on the disk is no longer that of this memory.
  TRY(forget_memory(saved));
  TRY(qmp.execute("cont"));
  TRY(agent.request(TRY(identity_request(launch)), kAgentTimeout));
  return started;
}

// What cannot be gone on with is not lost: the disk is as the moment of the save left it, so the guest boots.
Result<Started> QemuDriver::start_saved_or_cold(const Launch& launch, VmmSpec& spec, const SavedRun& saved) {
  auto started = start_saved(launch, spec, saved);
  if (!started) {
    log::warning("cannot go on with the saved memory, booting",
                 {{"name", launch.place.name}, {"error", started.error().message()}});
    forget_saved(spec);
    TRY(jail_.remove(launch.place));
    TRY(forget_memory(saved));
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

// The state of its file system lies in the server too, and QEMU (7.2) cannot move it.
Status refuse_memory_with_shares(const EnvironmentPlace& place, std::string_view doing) {
  if (!has_shares(place)) return {};
  return fail(ErrorCode::kUnsupported, cat(doing, " ", place.name, ": it sees directories of the host (-v)"),
              "stop it first: its disk can be saved then");
}

Status QemuDriver::suspend(const EnvironmentPlace& place) {
  TRY(require_running(place, "suspend"));
  TRY(refuse_memory_with_shares(place, "suspend"));
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
    TRY(copy_disk(overlay_path(place), saved.overlay()));
    return share_memory(suspended(place), saved);
  }
  TRY(refuse_memory_with_shares(place, "save"));
  // Before it is stopped: nothing between that and save_memory() may fail.
  const std::string machine = TRY(read_file(machine_path(place)));
  const std::uint32_t memory_mib = TRY(memory_mib_of(TRY(jail_.read_config(place))));
  auto qmp = TRY(halt(place));
  auto written = save_memory(qmp, place, saved, machine, memory_mib);
  if (written && sys::exists(overlay_path(place))) written = copy_disk(overlay_path(place), saved.overlay());
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
  TRY(forget_memory(own));
  if (sys::exists(source.overlay())) TRY(copy_disk(source.overlay(), overlay_path(place)));
  return share_memory(source, own);
}

// ── end ──

Status QemuDriver::collect(const EnvironmentPlace& place, Kind kind) {
  TRY(jail_.remove(place));
  TRY(stop_shares(jail_, place));
  TRY(network::detach(place.id));
  if (kind != Kind::kApp) {
    if (auto gone = sys::unlink(overlay_path(place)); !gone && gone.error().code != ErrorCode::kNotFound) return gone;
  }
  // Last: as long as there are files, there is something to collect.
  return sys::remove_tree(place.run_dir);
}

Status QemuDriver::destroy(const EnvironmentPlace& place) {
  TRY(collect(place, Kind::kDisposable));
  return sys::remove_tree(place.state_dir);
}

}  // namespace

Result<AccelChoice> parse_accel(std::string_view text) {
  if (text == "auto") return AccelChoice::kAuto;
  if (text == "kvm") return AccelChoice::kKvm;
  if (text == "tcg") return AccelChoice::kTcg;
  return fail(ErrorCode::kInvalidArgument, cat("accelerator \"", text, "\" is not auto, kvm or tcg"));
}

std::unique_ptr<Driver> make_qemu_driver(JailConfig jail, ImageStore& images, QemuConfig config) {
  return std::make_unique<QemuDriver>(std::move(jail), images, std::move(config));
}

}  // namespace skerry
