#include "daemon/composition.h"

#include <fcntl.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "api/server.h"
#include "base/log.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "control/controller.h"
#include "control/deployments.h"
#include "control/event_feed.h"
#include "control/event_pruner.h"
#include "control/guest_events.h"
#include "control/health.h"
#include "control/host_network.h"
#include "control/operations.h"
#include "control/policy_book.h"
#include "control/snapshots.h"
#include "control/zones.h"
#include "daemon/image_service.h"
#include "daemon/kernel_service.h"
#include "daemon/release.h"
#include "daemon/unfinished_files.h"
#include "drivers/cloud_hypervisor/cloud_hypervisor_driver.h"
#include "drivers/container/container_driver.h"
#include "drivers/qemu/qemu_driver.h"
#include "image/kernel_store.h"
#include "image/minisign.h"
#include "image/store.h"
#include "network/firewall.h"
#include "store/store.h"
#include "wire/plugin_manifest.h"

namespace skerry {
namespace {

// For the remains of environments that were just removed, before the daemon ends.
constexpr Duration kSettleTime = std::chrono::seconds(5);

// Of "ADDR:PORT"; 0: nothing listens, or where is only known later.
std::uint16_t api_port(const std::string& listen) {
  return parse_int<std::uint16_t>(std::string_view(listen).substr(listen.rfind(':') + 1), "port").value_or(0);
}

class LiveComposition final : public Composition {
 public:
  explicit LiveComposition(const DaemonOptions& options) : options_(options), operations_(clock_) {}
  ~LiveComposition() override {
    // Sockets first, then what serves them: everything else goes in the reverse order of the members.
    server_.reset();
  }
  LiveComposition(const LiveComposition&) = delete;
  LiveComposition& operator=(const LiveComposition&) = delete;

  Status open();
  void run() override;
  void stop() override;
  void reload() override;
  void release_host() override;
  // After an open() that failed half-way: what it has put on the host goes, unless environments need it.
  void give_up();

 private:
  Status lock_directories();
  Status make_drivers();
  Status make_server();
  [[nodiscard]] PluginCheck plugin_check() const;
  [[nodiscard]] std::string program(std::string_view name) const { return cat(options_.program_dir, "/", name); }

  const DaemonOptions options_;
  SystemClock clock_;
  Fd state_lock_;
  Fd run_lock_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<ImageStore> images_;
  std::unique_ptr<api::ImagePort> image_service_;
  std::unique_ptr<KernelStore> kernels_;
  std::unique_ptr<api::KernelPort> kernel_service_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<Zones> zones_;
  std::unique_ptr<PolicyBook> policy_;
  std::unique_ptr<Driver> container_driver_;
  std::unique_ptr<Driver> microvm_driver_;
  std::unique_ptr<EventFeed> feed_;  // before the controller: it outlives whoever stores events
  std::unique_ptr<EventPruner> event_pruner_;
  std::unique_ptr<Controller> controller_;
  Operations operations_;
  std::unique_ptr<Deployments> deployments_;
  std::unique_ptr<Snapshots> snapshots_;
  std::unique_ptr<HealthMonitor> health_;
  std::unique_ptr<GuestEvents> guest_events_;
  std::unique_ptr<api::ApiServer> server_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool stopping_ = false;
};

// A daemon that was killed while it started a process leaves the lock with that one until it has executed its program.
constexpr auto kLockPatience = std::chrono::seconds(2);

Result<Fd> lock_directory(const std::string& dir) {
  TRY(sys::mkdir_all(dir, 0755));
  Fd lock = TRY(sys::open(cat(dir, "/lock"), O_RDWR | O_CREAT, 0600));
  const auto deadline = std::chrono::steady_clock::now() + kLockPatience;
  while (!sys::flock(lock.get(), sys::LockMode::kExclusive, sys::LockWait::kTry)) {
    if (std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      continue;
    }
    return fail(ErrorCode::kConflict, cat("another skerryd uses ", dir), "stop it, or give this one other directories");
  }
  return lock;
}

Status LiveComposition::lock_directories() {
  state_lock_ = TRY(lock_directory(options_.state_dir));
  run_lock_ = TRY(lock_directory(options_.run_dir));
  return annotate(remove_unfinished_files(options_.state_dir), "clean up the state directory");
}

Status LiveComposition::make_drivers() {
  const JailConfig jail{program("skerry-oci"), program("skerry-keeper"), cat(options_.run_dir, "/oci"),
                        cat("/", options_.cgroup_parent)};
  container_driver_ = make_container_driver(jail, *images_, program("skerry-agent"));
  QemuConfig microvm;
  microvm.agent = program("skerry-agent");
  microvm.kernel = options_.kernel;
  microvm.kernels = kernels_.get();
  microvm.cache_dir = cat(options_.state_dir, "/boot");
  microvm.api_port = api_port(options_.listen);
  microvm.accel = TRY(parse_accel(options_.accelerator));
  microvm.boot_timeout = std::chrono::seconds(options_.boot_timeout_s);
  if (options_.microvm_driver == "cloud-hypervisor") {
    microvm.program = options_.cloud_hypervisor;
    microvm_driver_ = make_cloud_hypervisor_driver(jail, *images_, std::move(microvm));
  } else {
    microvm_driver_ = make_qemu_driver(jail, *images_, std::move(microvm));
  }
  return {};
}

PluginCheck LiveComposition::plugin_check() const {
  if (options_.plugin_keys.empty()) return nullptr;
  return [keys = options_.plugin_keys](const std::string& manifest_json) -> Status {
    const auto manifest = TRY(wire::parse_plugin_manifest(manifest_json));
    return check_signature(TRY(wire::signed_text(manifest_json)), manifest.signature, keys);
  };
}

Status LiveComposition::make_server() {
  api::ApiConfig config;
  config.socket_path = options_.socket_path;
  config.socket_group = options_.group;
  config.listen = options_.listen;
  if (!options_.tls_certificate.empty()) {
    config.tls = {options_.tls_certificate, options_.tls_key, options_.tls_client_ca};
  }
  config.tokens_path = cat(options_.state_dir, "/tokens.json");
  config.check_plugin = plugin_check();
  config.audit_path = cat(options_.state_dir, "/audit.log");
  deployments_ = TRY(Deployments::create(*store_, *controller_, *feed_, clock_));
  snapshots_ = TRY(Snapshots::create(cat(options_.state_dir, "/snapshots"), *store_, *controller_, clock_));
  health_ = std::make_unique<HealthMonitor>(*controller_, *feed_, clock_);
  guest_events_ = TRY(GuestEvents::create(*controller_, *feed_));
  server_ = TRY(api::ApiServer::create(config, {*controller_, operations_, *image_service_, *store_, clock_, *feed_,
                                                *deployments_, *snapshots_, *kernel_service_, *zones_, *policy_}));
  return {};
}

Status LiveComposition::open() {
  TRY(lock_directories());
  store_ = TRY_IN("open the database", Store::open(cat(options_.state_dir, "/skerry.db")));
  feed_ = std::make_unique<EventFeed>(*store_);
  event_pruner_ = std::make_unique<EventPruner>(*store_, *feed_, options_.keep_events);
  images_ = TRY_IN("open the images",
                   ImageStore::open({cat(options_.state_dir, "/images"), {}, options_.max_artifact_mib << 20U}));
  image_service_ =
      make_image_service(*images_, {program("skerry-agent"), program("skerry-init"), program("skerry-oci")});
  kernels_ = TRY_IN("open the kernels", KernelStore::open({.dir = cat(options_.state_dir, "/kernels")}, clock_));
  kernel_service_ = make_kernel_service(*kernels_, program("skerry-agent"), options_.kernel);
  network_ = TRY(make_host_network(network::default_table_name(options_.zone.bridge), options_.run_dir));
  zones_ = TRY(Zones::create(options_.zone, *store_, *network_, clock_));
  policy_ = std::make_unique<PolicyBook>(options_.policy_dir, *store_, clock_,
                                         options_.policy_dir_given ? NoDirectory::kMalformed : NoDirectory::kNoRules);
  TRY(make_drivers());
  ControllerConfig config;
  config.state_dir = options_.state_dir;
  config.run_dir = options_.run_dir;
  config.dns = options_.dns;
  config.workers = options_.workers;
  config.check_plugin = plugin_check();
  config.warm_pool_mib = options_.warm_pool_mib;
  config.spares = options_.spares;
  controller_ = TRY(Controller::create(
      config,
      {clock_, *store_, *images_, *network_, *zones_, *policy_, {container_driver_.get(), microvm_driver_.get()}}));
  policy_->on_reload([this] { return controller_->refresh_network(); });
  return make_server();
}

void LiveComposition::run() {
  if (auto served = server_->run(); !served) {
    log::error("cannot serve", {{"error", served.error().message()}});
    return;
  }
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [this] { return stopping_; });
  lock.unlock();
  server_->stop();
}

void LiveComposition::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ended_.notify_all();
}

void LiveComposition::reload() {
  if (auto reloaded = policy_->reload(); !reloaded) log::error("reload", {{"error", reloaded.error().message()}});
}

void LiveComposition::give_up() {
  server_.reset();
  if (controller_) release_host();
}

void LiveComposition::release_host() {
  if (!controller_->settle(kSettleTime)) log::warning("remains of what was removed are left for the next daemon", {});
  if (!controller_->views().empty()) return;
  if (auto closed = network_->close(); !closed) {
    log::warning("cannot give the network back", {{"error", closed.error().message()}});
  }
  release_run_state(options_);
}

}  // namespace

Result<std::unique_ptr<Composition>> Composition::create(const DaemonOptions& options) {
  auto composition = std::make_unique<LiveComposition>(options);
  if (auto opened = composition->open(); !opened) {
    composition->give_up();
    return fail(std::move(opened).error());
  }
  return composition;
}

}  // namespace skerry
