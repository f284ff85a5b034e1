#include "control/controller.h"

#include <sys/random.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>
#include <utility>

#include "base/crash_point.h"
#include "base/log.h"
#include "base/rollback.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "control/actor.h"
#include "control/complete_spec.h"
#include "control/device_records.h"
#include "control/launch.h"
#include "control/network.h"
#include "control/policy_book.h"
#include "control/wakeups.h"
#include "control/warm_pool.h"
#include "control/warm_shapes.h"
#include "control/worker_pool.h"
#include "control/zones.h"
#include "core/admission.h"
#include "core/net.h"
#include "core/net_policy.h"
#include "core/service.h"
#include "core/state_machine.h"
#include "image/store.h"
#include "network/resolv.h"
#include "wire/plugin_manifest.h"

namespace skerry {
namespace {

Result<std::string> new_id() {
  std::string bytes(8, '\0');
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return fail_errno("getrandom");
  return to_hex(bytes);
}

std::uint64_t host_memory_mib() {
  struct sysinfo info{};
  ::sysinfo(&info);
  return static_cast<std::uint64_t>(info.totalram) * info.mem_unit >> 20U;
}

// The same files under other names: they are only read.
Status share_files(const std::string& from, const std::string& to) {
  TRY(sys::mkdir_all(to, 0700));
  for (const auto& name : TRY(sys::list_directory(from))) TRY(sys::link(cat(from, "/", name), cat(to, "/", name)));
  return {};
}

class LiveController final : public Controller {
 public:
  LiveController(ControllerConfig config, ControllerPorts ports)
      : config_(std::move(config)), ports_(std::move(ports)), pool_(config_.workers) {}
  ~LiveController() override {
    // First the workers: they use the wakeups. A wake-up after that posts to a pool that drops it.
    pool_.stop();
    warm_pool_.reset();
    wakeups_.reset();
  }
  LiveController(const LiveController&) = delete;
  LiveController& operator=(const LiveController&) = delete;

  Status open();

  void submit(Command command, Completion done) override;
  void run_attached(CreateCommand command, StdioSink stdio, Completion done) override;
  EnvironmentViews views() override;
  Result<Environment> find(const std::string& name) override;
  Result<Conversation> exec(const std::string& name, const ExecSpec& spec) override;
  Result<Conversation> attach(const std::string& name) override;
  Result<Conversation> serial(const std::string& name) override;
  Result<UsageSample> stats(const std::string& name) override;
  Result<Fd> guest_events(const std::string& name) override;
  void report_health(const std::string& id, std::uint64_t incarnation, Health health, std::string reason) override;
  void report_guest_restart(const std::string& id, const GuestRestart& restart) override;
  void save(const std::string& name, const std::string& directory, Completion done) override;
  void restore(const std::string& name, const std::string& directory, Completion done) override;
  Result<std::string> log_path(const std::string& name) override;
  void wait_exit(const std::string& name, Completion done) override;
  std::map<Isolation, Histogram::Sample> start_times() override;
  std::vector<WarmPoolStatus> warm_pools() override {
    return warm_pool_ ? warm_pool_->status() : std::vector<WarmPoolStatus>{};
  }
  std::map<Isolation, Availability> capabilities() override;
  Status refresh_network() override { return refresh_firewall(); }
  Result<std::string> choose_service_address(const std::string& zone, const std::string& wanted) override;
  std::vector<std::string> users_of_image(const std::string& manifest_digest) override;
  bool settle(Duration at_most) override;

 private:
  void create_environment(const CreateCommand& command, StdioSink stdio, Completion done);
  Result<std::shared_ptr<Actor>> store_new(const CreateCommand& command);
  void open_warm_pool();
  Result<Launch> warm_launch(const WarmShape& shape);
  Result<Environment> store_record(Environment environment, const CreateCommand& command);
  Result<EnvironmentSpec> complete(const CreateCommand& command);
  Status check_plugin(const EnvironmentSpec& spec);
  Result<CreationFacts> creation_facts(const EnvironmentSpec& spec, Driver* driver);
  std::shared_ptr<Actor> add_actor(Driver& driver, Environment environment);
  Result<std::shared_ptr<Actor>> actor(const std::string& name);
  Result<std::shared_ptr<Actor>> alive(const std::string& name);  // whose run somebody can be attached to
  Driver* driver_for(Isolation isolation);
  Status resolve_disks(const Environment& environment, Launch& launch);
  Result<Launch> make_launch(const Environment& environment, const EnvironmentPlace& place);
  Result<Zone> standing_zone(const std::string& name);
  Status refresh_firewall();
  void remove_leftovers(const std::string& parent);

  const ControllerConfig config_;
  const ControllerPorts ports_;
  WorkerPool pool_;
  StartTimes start_times_;
  std::unique_ptr<Wakeups> wakeups_;
  std::unique_ptr<ActorContext> context_;
  std::unique_ptr<WarmPool> warm_pool_;  // none: nothing may be kept ready
  std::mutex create_mutex_;              // one creation at a time: admission and the insert see the same facts
  std::mutex firewall_mutex_;            // one refresh at a time, in order
  std::mutex mutex_;
  std::vector<std::shared_ptr<Actor>> actors_;  // in order of creation; also those that are gone until all of it is
  std::condition_variable forgotten_;           // one less of these
};

Status LiveController::open() {
  wakeups_ = TRY(Wakeups::create(ports_.clock, [this](const std::string& id) {
    const std::lock_guard lock(mutex_);
    for (const auto& each : actors_) {
      if (each->place().id == id) each->wake();
    }
  }));
  context_ = std::make_unique<ActorContext>(ActorContext{
      config_, ports_.clock, ports_.store, pool_, *wakeups_, start_times_,
      [this](const Environment& environment, const EnvironmentPlace& place) { return make_launch(environment, place); },
      [this] { return refresh_firewall(); },
      [this](const std::string& id) {
        const std::lock_guard lock(mutex_);
        std::erase_if(actors_, [&](const auto& each) { return each->place().id == id; });
        forgotten_.notify_all();
      }});
  // To be passed through, not listed: a container in a user namespace reaches its own directories below.
  TRY(sys::mkdir_all(cat(config_.state_dir, "/environments"), 0711));
  TRY(sys::mkdir_all(cat(config_.run_dir, "/environments"), 0711));

  std::set<std::string> known;
  for (auto& environment : TRY(ports_.store.environments())) {
    Driver* driver = driver_for(environment.spec.isolation);
    if (driver == nullptr) {
      log::error("no driver for a stored environment", {{"name", environment.spec.name}});
      continue;
    }
    known.insert(environment.id);
    add_actor(*driver, std::move(environment));
  }
  TRY(refresh_firewall());
  remove_leftovers(config_.run_dir);
  remove_leftovers(config_.state_dir);
  give_back_devices(config_.run_dir);
  TRY(ports_.store.release_address(""));
  if (auto removed = ports_.network.remove_stale(known); !removed) {
    log::warning("stale network devices", {{"error", removed.error().message()}});
  }
  open_warm_pool();
  // Nobody works before this.
  for (const auto& each : actors_) each->wake();
  return {};
}

// Only after the remains are gone: what it prepares is of no stored environment either.
void LiveController::open_warm_pool() {
  Driver* driver = driver_for(Isolation::kMicrovm);
  if (driver == nullptr || config_.warm_pool_mib == 0) return;
  warm_pool_ = std::make_unique<WarmPool>(
      WarmPoolPorts{*driver,
                    [this] {
                      return warm_shapes(ports_.store, ports_.images,
                                         [this](const CreateCommand& command) { return complete(command); });
                    },
                    [this](const WarmShape& shape) { return warm_launch(shape); },
                    [this] { return spare_memory_mib(views(), host_memory_mib()); }},
      config_.warm_pool_mib);
}

// For an environment that does not exist yet: its network card and the machine are final, its address is nobody's.
Result<Launch> LiveController::warm_launch(const WarmShape& shape) {
  Environment placeholder;
  placeholder.id = TRY(new_id());
  placeholder.spec = shape.spec;
  placeholder.spec.name = cat("warm-", placeholder.id);
  placeholder.image_digest = shape.image_digest;
  const Zone zone = TRY(standing_zone(placeholder.spec.zone));
  placeholder.ip = TRY(AddressPool::of(zone)).first.text();
  Launch launch;
  launch.place = place_of(config_, placeholder);
  TRY(resolve_disks(placeholder, launch));
  launch.network = TRY(make_attachment(placeholder, zone, {}));
  return launch;
}

// Directories of environments that the store does not know: a creation that was killed before it was stored, or a
// deletion after. Whatever runs there is ended by the driver that can tell.
void LiveController::remove_leftovers(const std::string& parent) {
  const std::string directory = cat(parent, "/environments");
  const auto names = sys::list_directory(directory);
  if (!names) return;
  for (const auto& id : *names) {
    const bool known = std::ranges::any_of(actors_, [&](const auto& each) { return each->place().id == id; });
    if (known) continue;
    log::info("removing the remains of an environment that is not stored", {{"id", id}});
    const EnvironmentPlace place{id, id, cat(config_.state_dir, "/environments/", id),
                                 cat(config_.run_dir, "/environments/", id)};
    // Each driver removes the run directory, whosever it was, and with it all that is known of the host's devices.
    if (auto kept = keep_device_record(place.run_dir, config_.run_dir, id); !kept) {
      log::error("remains: the record of its devices", {{"id", id}, {"error", kept.error().message()}});
      continue;
    }
    for (Driver* driver : ports_.drivers) {
      if (auto gone = driver->destroy(place); !gone) {
        log::warning("remains", {{"id", id}, {"error", gone.error().message()}});
      }
    }
    static_cast<void>(sys::remove_tree(place.run_dir));
    static_cast<void>(sys::remove_tree(place.state_dir));
  }
}

Driver* LiveController::driver_for(Isolation isolation) {
  const auto found = std::ranges::find_if(ports_.drivers, [&](Driver* each) { return each->isolation() == isolation; });
  return found == ports_.drivers.end() ? nullptr : *found;
}

std::shared_ptr<Actor> LiveController::add_actor(Driver& driver, Environment environment) {
  auto made = std::make_shared<Actor>(*context_, driver, std::move(environment));
  const std::lock_guard lock(mutex_);
  actors_.push_back(made);
  return made;
}

Result<std::shared_ptr<Actor>> LiveController::actor(const std::string& name) {
  const std::lock_guard lock(mutex_);
  for (const auto& each : actors_) {
    if (each->place().name == name && !each->gone()) return each;
  }
  return fail(ErrorCode::kNotFound, cat("environment \"", name, "\" does not exist"), "see: skerry ls");
}

// Again before each start: the keys, or the plugin of this name, may be others than when it was created.
Status LiveController::check_plugin(const EnvironmentSpec& spec) {
  if (spec.plugin.empty() || !config_.check_plugin) return {};
  const PluginRef wanted{spec.plugin, spec.plugin_version};
  const auto plugin = TRY(ports_.store.find_plugin(wanted));
  if (!plugin) {
    return fail(ErrorCode::kRefused, cat("plugin \"", to_text(wanted), "\" is gone: its signature cannot be checked"));
  }
  return annotate(config_.check_plugin(plugin->manifest_json), cat("plugin \"", to_text(wanted), "\""));
}

Result<Launch> LiveController::make_launch(const Environment& environment, const EnvironmentPlace& place) {
  TRY(check_plugin(environment.spec));
  const auto others = views();
  TRY(check_port_conflicts(environment, others));
  TRY(admit_memory(environment.spec, promised_memory_mib(others, environment.id), host_memory_mib()));
  // It is among those that are promised memory by now.
  if (warm_pool_) warm_pool_->make_room(spare_memory_mib(others, host_memory_mib()));
  for (const auto& port : environment.spec.ports) TRY(ports_.network.check_port(port));
  Launch launch;
  launch.place = place;
  launch.incarnation = environment.status.incarnation;
  TRY(resolve_disks(environment, launch));
  const Zone zone = TRY(standing_zone(environment.spec.zone));
  const auto& servers = zone.dns.empty() ? config_.dns : zone.dns;
  const auto dns = TRY(network::choose_resolvers(network::host_resolv_conf(), {servers, {}}));
  launch.network = TRY(make_attachment(environment, zone, dns));
  const std::string saved = saved_of(place);
  if (environment.status.started_at.ns == 0 && sys::exists(saved)) launch.saved = saved;
  return launch;
}

// One that environments can start in.
Result<Zone> LiveController::standing_zone(const std::string& name) {
  Zone zone = TRY(ports_.zones.find(name));
  const auto trouble = ports_.zones.trouble(name);
  if (trouble.empty()) return zone;
  return fail(ErrorCode::kUnavailable, cat("zone \"", name, "\" cannot be used: ", trouble),
              "restart skerryd once it can");
}

// What it runs: its specification and where the images of it are.
Status LiveController::resolve_disks(const Environment& environment, Launch& launch) {
  launch.spec = environment.spec;
  if (!environment.image_digest.empty()) launch.image = TRY(ports_.images.find(environment.image_digest));
  if (const auto& disk = launch.spec.root_disk) launch.root_disk = TRY_IN("rootfs", ports_.images.artifact(*disk, {}));
  if (const auto& initramfs = launch.spec.initramfs) {
    launch.initramfs = TRY_IN("initramfs", ports_.images.artifact(*initramfs, {}));
  }
  return {};
}

Status LiveController::refresh_firewall() {
  const std::lock_guard lock(firewall_mutex_);
  const auto deployments = TRY(ports_.store.deployments());
  const auto all = views();
  const auto policy = ports_.policy.edition().policy;
  auto passages = net_policy(*policy, all, ports_.zones.list());
  if (!passages) {
    // Environments go on starting: with less than they are allowed, not with more.
    log::error("the policy cannot be enforced: nothing crosses or leaves zones",
               {{"error", passages.error().message()}});
    passages = closed_net_policy(all);
  }
  return annotate(ports_.network.apply(all, services_of(deployments, all), *passages), "firewall");
}

Result<std::string> LiveController::choose_service_address(const std::string& zone, const std::string& wanted) {
  std::set<Ipv4> taken;
  for (const auto& each : TRY(ports_.store.deployments())) {
    if (each.service) taken.insert(TRY(Ipv4::parse(each.service->address)));
  }
  for (const auto& each : ports_.zones.list()) {
    const auto ip = Ipv4::parse(wanted);
    if (!ip || each.name == zone || !TRY(Cidr::parse(each.subnet)).contains(*ip)) continue;
    return fail(ErrorCode::kInvalidArgument,
                cat("service.address: ", wanted, " is of zone \"", each.name, "\", not of \"", zone, "\""));
  }
  auto address =
      TRY(skerry::choose_service_address(TRY(AddressPool::of(TRY(ports_.zones.find(zone)))), wanted, taken)).text();
  TRY(ports_.network.check_service_address(address));
  return address;
}

// ── commands ──

void LiveController::submit(Command command, Completion done) {
  if (const auto* create = std::get_if<CreateCommand>(&command)) {
    create_environment(*create, nullptr, std::move(done));
    return;
  }
  auto& verb = std::get<VerbCommand>(command);
  auto target = actor(verb.name);
  if (!target) {
    done(fail(std::move(target).error()));
    return;
  }
  (*target)->command(std::move(verb), std::move(done));
}

void LiveController::run_attached(CreateCommand command, StdioSink stdio, Completion done) {
  command.start = true;
  create_environment(command, std::move(stdio), std::move(done));
}

void LiveController::create_environment(const CreateCommand& command, StdioSink stdio, Completion done) {
  auto made = store_new(command);
  if (!made) {
    done(fail(std::move(made).error()));
    return;
  }
  if (command.start) {
    (*made)->first_start(std::move(done), std::move(stdio));
  } else {
    done((*made)->snapshot());
  }
}

Result<std::shared_ptr<Actor>> LiveController::store_new(const CreateCommand& command) {
  const std::lock_guard lock(create_mutex_);
  const auto zones = ports_.zones.hold();
  const EnvironmentSpec spec = TRY(complete(command));
  Driver* driver = driver_for(spec.isolation);
  TRY(admit_creation(spec, TRY(creation_facts(spec, driver))));
  Environment environment;
  environment.spec = spec;
  environment.status.created_at = ports_.clock.now();
  if (!spec.image.empty()) {
    const Image image = TRY(ports_.images.find(spec.image));
    if (!image.name.empty()) environment.spec.image = image.name;
    environment.image_digest = image.manifest_digest.text();
  }
  return add_actor(*driver, TRY(store_record(std::move(environment), command)));
}

// Under the id of a machine that waits for it, if there is one.
Result<Environment> LiveController::store_record(Environment environment, const CreateCommand& command) {
  const Zone zone = TRY(ports_.zones.find(environment.spec.zone));
  std::optional<std::string> prepared;
  const bool begins_now = command.start && command.saved.empty();
  if (warm_pool_ && begins_now) prepared = warm_pool_->take(environment.spec, environment.image_digest);
  Rollback undo;
  if (prepared) undo.add([&] { warm_pool_->give_back(*prepared); });
  environment.id = prepared ? *prepared : TRY(new_id());
  if (!command.saved.empty()) {
    const std::string state_dir = cat(config_.state_dir, "/environments/", environment.id);
    undo.add([state_dir] { static_cast<void>(sys::remove_tree(state_dir)); });
    TRY_IN("keep what it begins with", share_files(command.saved, saved_of({{}, {}, state_dir, {}})));
  }
  auto stored = TRY(ports_.store.create_environment(std::move(environment), zone));
  undo.commit();
  crash_point("a new one is stored");
  return stored;
}

// What the request leaves open, its plugin says. A plugin that is missing or disabled is for admission to refuse.
Result<EnvironmentSpec> LiveController::complete(const CreateCommand& command) {
  const auto plugin = TRY(plugin_of(ports_.store, command.spec));
  if (!plugin) return command.spec;
  EnvironmentSpec named = command.spec;
  named.plugin_version = plugin->version;
  TRY(check_plugin(named));
  if (!command.saved.empty()) return named;  // it is what its source is, not what the plugin makes of a new one
  return complete_spec(command, *plugin);
}

Result<CreationFacts> LiveController::creation_facts(const EnvironmentSpec& spec, Driver* driver) {
  CreationFacts facts;
  const auto zone = ports_.zones.find(spec.zone);
  facts.zone_exists = zone.has_value();
  facts.memory_total_mib = host_memory_mib();
  std::set<Ipv4> leased;
  const auto all = views();
  facts.memory_promised_mib = promised_memory_mib(all, {});
  for (const auto& each : all) {
    if (each->spec.name == spec.name) facts.name_taken = true;
    if (const auto ip = Ipv4::parse(each->ip); ip) leased.insert(*ip);
  }
  facts.address_free = !zone || lowest_free(TRY(AddressPool::of(*zone)), leased).has_value();
  if (driver == nullptr) {
    facts.isolation_unavailable = "this build has no driver for it";
  } else if (const auto availability = driver->availability(); !availability.available) {
    facts.isolation_unavailable = availability.reason;
  }
  if (!spec.plugin.empty()) {
    const auto plugin = TRY(ports_.store.find_plugin({spec.plugin, spec.plugin_version}));
    if (plugin) facts.plugin_enabled = plugin->enabled;
  }
  return facts;
}

// ── questions ──

EnvironmentViews LiveController::views() {
  const std::lock_guard lock(mutex_);
  EnvironmentViews out;
  out.reserve(actors_.size());
  for (const auto& each : actors_) {
    if (auto view = each->view()) out.push_back(std::move(view));
  }
  return out;
}

Result<Environment> LiveController::find(const std::string& name) { return TRY(actor(name))->snapshot(); }

Result<Conversation> LiveController::exec(const std::string& name, const ExecSpec& spec) {
  const auto target = TRY(actor(name));
  TRY(admit(target->snapshot(), Verb::kExec));
  auto conversation = target->driver().exec(target->place(), spec);
  crash_point("a command runs inside");
  return conversation;
}

Result<std::shared_ptr<Actor>> LiveController::alive(const std::string& name) {
  auto target = TRY(actor(name));
  if (is_alive(target->snapshot().status.state)) return target;
  return fail(ErrorCode::kConflict, cat("cannot attach to \"", name, "\": it does not run"), "see: skerry logs");
}

Result<Conversation> LiveController::attach(const std::string& name) {
  const auto target = TRY(alive(name));
  return target->driver().attach(target->place());
}

Result<Conversation> LiveController::serial(const std::string& name) {
  const auto target = TRY(alive(name));
  return target->driver().serial(target->place());
}

Result<UsageSample> LiveController::stats(const std::string& name) {
  const auto target = TRY(actor(name));
  if (!is_alive(target->snapshot().status.state)) return UsageSample{};
  return target->driver().stats(target->place());
}

Result<Fd> LiveController::guest_events(const std::string& name) {
  const auto target = TRY(actor(name));
  return target->driver().guest_events(target->place());
}

void LiveController::report_health(const std::string& id, std::uint64_t incarnation, Health health,
                                   std::string reason) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find_if(actors_, [&](const auto& each) { return each->place().id == id; });
  if (found != actors_.end()) (*found)->report_health(incarnation, health, std::move(reason));
}

void LiveController::report_guest_restart(const std::string& id, const GuestRestart& restart) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find_if(actors_, [&](const auto& each) { return each->place().id == id; });
  if (found != actors_.end()) (*found)->report_guest_restart(restart);
}

void LiveController::save(const std::string& name, const std::string& directory, Completion done) {
  auto target = actor(name);
  if (!target) return done(fail(std::move(target).error()));
  (*target)->save_run(directory, std::move(done));
}

void LiveController::restore(const std::string& name, const std::string& directory, Completion done) {
  auto target = actor(name);
  if (!target) return done(fail(std::move(target).error()));
  (*target)->restore_run(directory, std::move(done));
}

Result<std::string> LiveController::log_path(const std::string& name) { return TRY(actor(name))->place().log_path(); }

void LiveController::wait_exit(const std::string& name, Completion done) {
  auto target = actor(name);
  if (!target) {
    done(fail(std::move(target).error()));
    return;
  }
  (*target)->wait_exit(std::move(done));
}

std::map<Isolation, Histogram::Sample> LiveController::start_times() {
  std::map<Isolation, Histogram::Sample> out;
  for (const auto& [isolation, histogram] : start_times_.by_isolation) out[isolation] = histogram.sample();
  return out;
}

std::map<Isolation, Availability> LiveController::capabilities() {
  std::map<Isolation, Availability> out;
  for (Driver* driver : ports_.drivers) out[driver->isolation()] = driver->availability();
  return out;
}

bool LiveController::settle(Duration at_most) {
  if (warm_pool_) warm_pool_->close();
  std::unique_lock lock(mutex_);
  return forgotten_.wait_for(
      lock, at_most, [this] { return std::ranges::none_of(actors_, [](const auto& each) { return each->gone(); }); });
}

std::vector<std::string> LiveController::users_of_image(const std::string& manifest_digest) {
  std::vector<std::string> names;
  for (const auto& each : views()) {
    if (each->image_digest == manifest_digest) names.push_back(each->spec.name);
  }
  return names;
}

}  // namespace

std::vector<Environment> Controller::environments() {
  std::vector<Environment> out;
  for (const auto& each : views()) out.push_back(*each);
  return out;
}

Result<std::unique_ptr<Controller>> Controller::create(ControllerConfig config, ControllerPorts ports) {
  auto controller = std::make_unique<LiveController>(std::move(config), std::move(ports));
  TRY(controller->open());
  return controller;
}

}  // namespace skerry
