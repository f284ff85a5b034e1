// From a wish to a stored environment, and from that to what a driver is to start.
#include <sys/random.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <set>

#include "base/rollback.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "control/complete_spec.h"
#include "control/controller_parts.h"
#include "control/launch.h"
#include "control/network.h"
#include "control/warm_shapes.h"
#include "control/zones.h"
#include "core/net.h"
#include "core/service.h"
#include "image/store.h"
#include "network/resolv.h"

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

}  // namespace

// Only after the remains are gone: what it prepares is of no stored environment either.
void LiveController::open_warm_pool() {
  Driver* driver = driver_for(Isolation::kMicrovm);
  if (driver == nullptr || config_.warm_pool_mib == 0) return;
  warm_pool_ = std::make_unique<WarmPool>(
      WarmPoolPorts{*driver,
                    [this] {
                      return warm_shapes({ports_.store, ports_.images, ports_.zones,
                                          [this](const CreateCommand& command) { return complete(command); }},
                                         asked_lately_, ports_.clock.monotonic());
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
  launch.runtime = TRY(runtime_of(launch.spec));
  launch.network = TRY(make_attachment(placeholder, zone, {}));
  return launch;
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
  if (warm_pool_ && begins_now) prepared = warm_pool_->take(environment.spec, environment.image_digest, zone);
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
  if (begins_now) asked_lately_.note(stored.spec, stored.image_digest, ports_.clock.monotonic());
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
  launch.runtime = TRY(runtime_of(launch.spec));
  const Zone zone = TRY(standing_zone(environment.spec.zone));
  const auto& servers = zone.dns.empty() ? config_.dns : zone.dns;
  const auto dns = TRY(network::choose_resolvers(network::host_resolv_conf(), {servers, {}}));
  launch.network = TRY(make_attachment(environment, zone, dns));
  const std::string saved = saved_of(place);
  if (environment.status.started_at.ns == 0 && sys::exists(saved)) launch.saved = saved;
  return launch;
}

// Empty too when the plugin has been removed by force: nobody knows any more what it called itself.
Result<std::string> LiveController::runtime_of(const EnvironmentSpec& spec) {
  if (spec.plugin.empty()) return std::string();
  const auto plugin = TRY(ports_.store.find_plugin({spec.plugin, spec.plugin_version}));
  return plugin ? plugin->runtime : std::string();
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

}  // namespace skerry
