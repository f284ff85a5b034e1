#include "drivers/container/container_driver.h"

#include <csignal>
#include <utility>

#include "base/cgroup_paths.h"
#include "base/crash_point.h"
#include "base/file_io.h"
#include "base/log.h"
#include "base/rollback.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "drivers/container/container_place.h"
#include "drivers/container/container_setup.h"
#include "drivers/container/container_spec.h"
#include "drivers/container/container_user.h"
#include "drivers/container/id_range.h"
#include "drivers/container/sealed_program.h"
#include "drivers/container/spare_network.h"
#include "network/port.h"
#include "wire/seccomp_profile.h"

namespace skerry {
namespace {

// Whether the kernel counts swap for control groups here: else a limit on it could not be set.
bool is_swap_counted() {
  const auto directories = cgroup_directories_of(::getpid());
  if (!directories) return false;
  const auto memory = find_controller(*directories, "memory");
  if (!memory.unified) return sys::exists(memory.path + "/memory.memsw.limit_in_bytes");
  // The root of the unified hierarchy has no limits: without swap accounting its counters are missing in all others.
  return sys::exists(memory.path + "/memory.swap.max");
}

class ContainerDriver final : public Driver {
 public:
  ContainerDriver(JailConfig jail, ImageStore& images, std::string agent)
      : jail_(std::move(jail)), images_(images), agent_(std::move(agent)) {}

  [[nodiscard]] Isolation isolation() const override { return Isolation::kContainer; }
  Availability availability() override { return jail_.availability(); }

  Result<Started> start(const Launch& launch) override;
  Result<Observation> observe(const EnvironmentPlace& place) override;
  Result<Fd> watch(const EnvironmentPlace& place) override { return jail_.watch(place); }

  Status stop(const EnvironmentPlace& place, const StopRequest& request) override;
  Status signal(const EnvironmentPlace& place, int signal_number) override {
    return jail_.signal(place, signal_number);
  }
  Status pause(const EnvironmentPlace& place) override { return jail_.freeze(place); }
  Status resume(const EnvironmentPlace& place) override { return jail_.thaw(place); }

  Status limit(const EnvironmentPlace& place, const Resources& resources) override {
    return jail_.limit(place, limits_of(resources, swap_is_counted_));
  }

  Status collect(const EnvironmentPlace& place, Kind kind) override;
  Status destroy(const EnvironmentPlace& place) override;

  Result<Conversation> exec(const EnvironmentPlace& place, const ExecSpec& spec) override;
  Result<Conversation> attach(const EnvironmentPlace& place) override { return jail_.attach(place); }
  Result<UsageSample> stats(const EnvironmentPlace& place) override { return jail_.usage(place); }

 private:
  // What the jail is made of, and the descriptors it names.
  struct Prepared {
    oci::Spec config;
    RootFs root;
    Fd netns;
  };
  Result<Prepared> prepare(const Launch& launch);
  Result<Account> find_user_inside(const EnvironmentPlace& place, std::int64_t pid, const std::string& user);
  Result<Conversation> run_agent(const EnvironmentPlace& place, const oci::Spec& config, ExecSpec spec);

  Jail jail_;
  ImageStore& images_;
  SealedPrograms agent_;
  SpareNetwork spare_network_{make_netns};
  const bool swap_is_counted_ = is_swap_counted();
};

// The profile of a file; nullopt for the default one and for none.
Result<std::optional<oci::Seccomp>> read_seccomp_profile(const Security& security) {
  const std::string& path = security.seccomp_profile;
  if (path.empty() || path == "default" || path == "unconfined") return std::nullopt;
  const std::string text = TRY_IN("security.seccomp_profile", read_file(path));
  const auto capabilities = TRY(container_capabilities(security));
  return TRY_IN(path, oci::parse_seccomp_profile(text, oci::this_seccomp_target(capabilities)));
}

// ── start ──

// What the runtime knows them by.
constexpr int kNetnsFd = 3;
constexpr int kRootFd = 4;

// Everything but the jail. What it has made when it fails is the caller's to collect.
Result<ContainerDriver::Prepared> ContainerDriver::prepare(const Launch& launch) {
  const ContainerPlace place{launch.place};
  TRY(check_bind_sources(launch.spec));
  std::vector<std::string> layers;
  if (launch.spec.rootfs_path.empty()) {
    if (!launch.image)
      return fail(ErrorCode::kInvalidArgument, cat(launch.spec.name, ": neither an image nor a rootfs_path"));
    layers = TRY(images_.lower_directories(*launch.image, {}));
  }
  ContainerInputs inputs;
  if (launch.spec.security.user_namespace) {
    inputs.ids = TRY(claim_id_range(launch.place, launch.network ? launch.network->ip : std::string()));
    TRY(let_through(launch.place, *inputs.ids));
  }
  RootFs root = TRY(make_rootfs(launch, layers, inputs.ids));
  inputs.rootfs = root.path;
  crash_point("its root file system is mounted");
  Fd netns = TRY(make_network(launch, spare_network_));
  crash_point("its network is there");
  inputs.network_namespace = cat("/proc/self/fd/", kNetnsFd);
  TRY(write_etc(launch, inputs.ids));
  inputs.etc_dir = place.etc();
  const auto& image_user = launch.image ? launch.image->config.user : std::string();
  inputs.account = TRY(find_account(root.seen(), launch.spec.user.empty() ? image_user : launch.spec.user));
  inputs.seccomp_profile = TRY(read_seccomp_profile(launch.spec.security));
  inputs.limit_swap = swap_is_counted_;
  return Prepared{TRY(make_container_spec(launch, inputs)), std::move(root), std::move(netns)};
}

Result<Started> ContainerDriver::start(const Launch& launch) {
  const auto& place = launch.place;
  if (TRY(observe(place)).phase != Phase::kAbsent) {
    return fail(ErrorCode::kConflict, cat("start ", place.name, ": an earlier run has not been cleaned up"));
  }
  TRY(sys::mkdir_all(place.state_dir, 0700));
  TRY(sys::mkdir_all(place.run_dir, 0700));
  Rollback undo;
  undo.add([&] {
    if (auto collected = collect(place, launch.spec.kind); !collected) {
      log::warning("cannot undo a start", {{"name", place.name}, {"error", collected.error().message()}});
    }
  });
  auto prepared = TRY(prepare(launch));
  JailSpec jail;
  jail.config = std::move(prepared.config);
  jail.runtime_fds.push_back({prepared.netns.get(), kNetnsFd});
  if (prepared.root.mount) {
    jail.runtime_fds.push_back({prepared.root.mount.get(), kRootFd});
    jail.root_fd = kRootFd;
  }
  jail.stdin_mode = launch.spec.stdin_open ? StdinMode::kOpen : StdinMode::kNull;
  auto started = TRY(jail_.run(place, jail, launch.attach));
  crash_point("its jail is made");
  undo.commit();
  return started;
}

Result<Observation> ContainerDriver::observe(const EnvironmentPlace& place) {
  auto observed = TRY(jail_.observe(place));
  if (observed.phase != Phase::kAbsent) return observed;
  const ContainerPlace paths{place};
  if (sys::exists(paths.rootfs())) {
    observed.phase = Phase::kBroken;
    observed.reason = "a start was cut short";
  }
  return observed;
}

// ── end ──

namespace {

int stop_signal_of(const oci::Spec& config) {
  const auto found = config.annotations.find(kStopSignalAnnotation);
  if (found == config.annotations.end()) return SIGTERM;
  return parse_int<int>(found->second, "stop signal").value_or(SIGTERM);
}

}  // namespace

Status ContainerDriver::stop(const EnvironmentPlace& place, const StopRequest& request) {
  const auto observed = TRY(observe(place));
  if (observed.phase != Phase::kRunning && observed.phase != Phase::kPaused) {
    // Half a run: nobody in there waits for a polite word.
    return jail_.kill(place);
  }
  if (request.grace_ms > 0) {
    const auto config = jail_.read_config(place);
    const auto asked = jail_.signal(place, config ? stop_signal_of(*config) : SIGTERM);
    // A frozen process hears the signal when it is thawed.
    if (observed.phase == Phase::kPaused) TRY(jail_.thaw(place));
    // Ended before the signal came: as good.
    if (!asked && asked.error().code != ErrorCode::kConflict) return asked;
    if (TRY(jail_.await_end(place, std::chrono::milliseconds(request.grace_ms)))) return {};
  }
  return jail_.kill(place);
}

Status ContainerDriver::collect(const EnvironmentPlace& place, Kind kind) {
  agent_.forget(place.id);
  // The run directory is made first and removed last: without it there is nothing but, perhaps, a layer.
  if (!sys::exists(place.run_dir)) return kind == Kind::kApp ? Status{} : drop_layer(place);
  TRY(jail_.remove(place));
  crash_point("its jail is removed");
  TRY(remove_rootfs(place));
  crash_point("its root file system is unmounted");
  TRY(network::detach_named(place.id));
  crash_point("its network is removed");
  if (kind != Kind::kApp) TRY(drop_layer(place));
  // Last: as long as there are files, there is something to collect.
  return sys::remove_tree(place.run_dir);
}

Status ContainerDriver::destroy(const EnvironmentPlace& place) {
  TRY(collect(place, Kind::kDisposable));
  return sys::remove_tree(place.state_dir);
}

// ── exec ──

// By the files of the running container, whose root has no path on the host.
Result<Account> ContainerDriver::find_user_inside(const EnvironmentPlace& place, std::int64_t pid,
                                                  const std::string& user) {
  const Fd root = TRY(open_root_of(static_cast<pid_t>(pid)));
  // Was it still this run's when it was opened?
  const auto now = TRY(observe(place));
  if (now.phase != Phase::kRunning || now.pid != pid) {
    return fail(ErrorCode::kConflict, cat("run a command in ", place.name, ": it ended meanwhile"));
  }
  return find_account(cat("/proc/self/fd/", root.get()), user);
}

Result<Conversation> ContainerDriver::exec(const EnvironmentPlace& place, const ExecSpec& spec) {
  const auto observed = TRY(observe(place));
  if (observed.phase == Phase::kPaused) {
    return fail(ErrorCode::kConflict, cat("run a command in ", place.name, ": it is paused"), "resume it first");
  }
  if (observed.phase != Phase::kRunning) {
    return fail(ErrorCode::kConflict, cat("run a command in ", place.name, ": it does not run"), "start it first");
  }
  if (spec.argv.empty()) return fail(ErrorCode::kInvalidArgument, "no command to run");
  const auto config = TRY(jail_.read_config(place));
  if (spec.program == ExecSpec::Program::kAgent) return run_agent(place, config, spec);
  std::optional<Account> account;
  if (!spec.user.empty()) account = TRY(find_user_inside(place, observed.pid, spec.user));
  return jail_.exec(place, make_exec_process(config, spec, account), spec.size);
}

// A container can be anything, so nothing of it is relied on: the program is a sealed copy in memory, which who is in
// there may open, even for writing, and no other container runs.
Result<Conversation> ContainerDriver::run_agent(const EnvironmentPlace& place, const oci::Spec& config, ExecSpec spec) {
  const Fd program = TRY(agent_.open(place.id));
  spec.argv.insert(spec.argv.begin(), "/proc/self/fd/3");
  spec.workdir = "/";
  return jail_.exec(place, make_exec_process(config, spec, Account{}), spec.size, program.get());
}

}  // namespace

std::unique_ptr<Driver> make_container_driver(JailConfig jail, ImageStore& images, std::string agent) {
  return std::make_unique<ContainerDriver>(std::move(jail), images, std::move(agent));
}

}  // namespace skerry
