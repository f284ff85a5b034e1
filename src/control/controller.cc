// The daemon's start, commands, questions, and the firewall that follows them.
#include <algorithm>
#include <set>
#include <utility>

#include "base/crash_point.h"
#include "base/log.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "control/controller_parts.h"
#include "control/device_records.h"
#include "control/launch.h"
#include "control/network.h"
#include "control/policy_book.h"
#include "control/zones.h"
#include "core/crossings.h"
#include "core/net.h"
#include "core/service.h"
#include "core/state_machine.h"

namespace skerry {

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
      },
      [this] { views_are_stale_ = true; }});
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
  TRY(ports_.store.release_address("", ports_.clock.now()));
  if (auto removed = ports_.network.remove_stale(known); !removed) {
    log::warning("stale network devices", {{"error", removed.error().message()}});
  }
  open_warm_pool();
  // Nobody works before this; the first that is woken may be gone, and forgotten, before the last one is.
  const std::lock_guard lock(mutex_);
  for (const auto& each : actors_) each->wake();
  return {};
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
  views_are_stale_ = true;
  return made;
}

Result<std::shared_ptr<Actor>> LiveController::actor(const std::string& name) {
  const std::lock_guard lock(mutex_);
  for (const auto& each : actors_) {
    if (each->place().name == name && !each->gone()) return each;
  }
  return fail(ErrorCode::kNotFound, cat("environment \"", name, "\" does not exist"), "see: skerry ls");
}

Status LiveController::refresh_firewall() {
  const std::lock_guard lock(firewall_mutex_);
  const auto deployments = TRY(ports_.store.deployments());
  const auto all = views();
  const auto policy = ports_.policy.edition().policy;
  auto passages = bounded_net_policy(*policy, all, ports_.zones.list());
  if (!passages) {
    // Environments go on starting: with less than they are allowed, not with more.
    log::error("the policy cannot be enforced: nothing crosses or leaves zones",
               {{"error", passages.error().message()}});
    passages = BoundedNetPolicy{closed_net_policy(all), {}};
  }
  say_closed(passages->closed);
  return annotate(ports_.network.apply(all, services_of(deployments, all), passages->policy), "firewall");
}

// Once for each that is closed, and not at each of the many refreshes while it is.
void LiveController::say_closed(const std::vector<Crossing>& closed) {
  std::set<std::string> now;
  for (const auto& each : closed) {
    auto key = cat(each.from, " ", each.to);
    if (!closed_crossings_.contains(key)) {
      log::error("too many passages: this crossing is closed until there are fewer", {{"what", to_text(each)}});
    }
    now.insert(std::move(key));
  }
  closed_crossings_ = std::move(now);
}

Result<std::string> LiveController::choose_service_address(const std::string& zone, const std::string& wanted) {
  std::set<Ipv4> taken;
  for (const auto& each : TRY(ports_.store.deployments())) {
    if (each.service) taken.insert(TRY(Ipv4::parse(each.service->address)));
  }
  // One that is asked for by name is checked, and refused, below.
  if (wanted.empty()) {
    for (const auto& each : TRY(ports_.network.host_networks())) taken.insert(each.address);
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

// ── questions ──

SharedViews LiveController::views() {
  const std::lock_guard lock(mutex_);
  // Before the look: what changes during it is looked at again the next time.
  if (!views_are_stale_.exchange(false)) return views_;
  EnvironmentViews now;
  now.reserve(actors_.size());
  for (const auto& each : actors_) {
    if (auto view = each->view()) now.push_back(std::move(view));
  }
  views_ = std::move(now);
  return views_;
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
