#include "control/deployments.h"

#include <algorithm>
#include <functional>

#include "base/crash_point.h"
#include "base/log.h"
#include "base/text.h"
#include "control/complete_spec.h"
#include "core/plan.h"
#include "wire/environment_json.h"

namespace skerry {
namespace {

constexpr auto kLookAnyway = std::chrono::seconds(5);

bool is_same_revision(const Deployment& left, const Deployment& right) {
  return left.plugin == right.plugin && left.plugin_version == right.plugin_version &&
         left.config_json == right.config_json;
}

// What tells two configurations apart, but for the plugin's version. Not a secret and not a signature: FNV-1a is
// enough.
std::string revision_of(const Deployment& deployment) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : cat(deployment.plugin, "\n", deployment.config_json)) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  return cat(hash);
}

std::string full_revision_of(const Deployment& deployment) {
  return cat(revision_of(deployment), "@", deployment.plugin_version);
}

Event deployment_event(const Deployment& deployment, std::string_view what, WallTime time) {
  Event event;
  event.type = cat("deployment.", what);
  event.resource = deployment.name;
  event.time = time;
  event.data = {{"name", deployment.name}, {"plugin", deployment.plugin}, {"replicas", cat(deployment.replicas)}};
  if (!deployment.plugin_version.empty()) event.data["plugin_version"] = deployment.plugin_version;
  event.data["zone"] = zone_of(deployment);
  return event;
}

void run_plugin(Deployment& deployment, const PluginRef& plugin) {
  deployment.plugin = plugin.name;
  deployment.plugin_version = plugin.version;
}

ReplicaView view_of(const Deployment& deployment, const Environment& environment) {
  ReplicaView view;
  view.number = replica_number(deployment.name, environment.spec.name);
  view.state = environment.status.state;
  view.health = environment.status.health;
  view.has_health_check = environment.spec.health_check.has_value();
  const auto label = environment.spec.labels.find(std::string(kRevisionLabel));
  view.current_revision = label != environment.spec.labels.end() && label->second == revision_of(deployment) &&
                          (deployment.plugin.empty() || environment.spec.plugin_version == deployment.plugin_version);
  return view;
}

Result<CreateCommand> replica_command(const Deployment& deployment, std::uint32_t number) {
  auto command = TRY(wire::parse_create_request(deployment.config_json)).command;
  command.start = true;
  EnvironmentSpec& spec = command.spec;
  spec.name = replica_name(deployment.name, number);
  spec.deployment = deployment.name;
  if (!deployment.plugin.empty()) {
    spec.plugin = deployment.plugin;
    spec.plugin_version = deployment.plugin_version;
  }
  spec.labels[std::string(kRevisionLabel)] = revision_of(deployment);
  return command;
}

// Why a replica goes that did not do its work.
bool is_crash(std::string_view why) { return why == "ended" || why == "unhealthy"; }

// "ended with exit code 1: out of memory".
std::string why_replaced(const EnvironmentViews& environments, const std::string& name, std::string_view why) {
  const auto found = std::ranges::find(environments, name, [](const auto& each) { return each->spec.name; });
  if (found == environments.end()) return std::string(why);
  const auto& status = (*found)->status;
  return cat(why, status.exit_code ? cat(" with exit code ", *status.exit_code) : "",
             status.reason.empty() ? "" : cat(": ", status.reason));
}

Status check_ports(const std::vector<PublishedPort>& ports, std::uint32_t replicas, std::string_view whose) {
  if (ports.empty() || replicas <= 1) return {};
  return fail(ErrorCode::kInvalidArgument, cat(whose, ": one host port cannot be published by several replicas"),
              "give the deployment a service (--service-port), or one replica");
}

Status check(const Deployment& deployment) {
  if (!is_dns_label(deployment.name) || deployment.name.size() > 55) {
    return fail(ErrorCode::kInvalidArgument, cat("name: \"", deployment.name.substr(0, 80), "\""),
                "use up to 55 of a-z, 0-9 and '-': replicas are called NAME-1, NAME-2, …");
  }
  if (deployment.replicas > Deployments::kMaxReplicas) {
    return fail(ErrorCode::kInvalidArgument,
                cat("replicas: ", deployment.replicas, " is more than ", Deployments::kMaxReplicas));
  }
  if (deployment.max_unavailable == 0) {
    return fail(ErrorCode::kInvalidArgument, "max_unavailable: at least 1, or no replica could be replaced");
  }
  const auto spec = TRY_IN("config", replica_command(deployment, 1)).spec;
  TRY(check_ports(spec.ports, deployment.replicas, "config.ports"));
  return annotate(validate(spec), "config");
}

// What a replica comes to with its plugin.
Status check_completed(Store& store, const Deployment& deployment) {
  const auto command = TRY_IN("config", replica_command(deployment, 1));
  const auto plugin = TRY(plugin_of(store, command.spec));
  if (!plugin) return {};  // told as the reason why none is made
  const auto spec = TRY_IN("config", complete_spec(command, *plugin));
  TRY(check_ports(spec.ports, deployment.replicas, cat("plugin \"", plugin->name, "\": network.ports")));
  return annotate(validate(spec), "config");
}

}  // namespace

std::string zone_of(const Deployment& deployment) {
  const auto request = wire::parse_create_request(deployment.config_json.empty() ? "{}" : deployment.config_json);
  return request ? request->command.spec.zone : std::string();
}

Result<std::unique_ptr<Deployments>> Deployments::create(Store& store, Controller& controller, EventFeed& feed,
                                                         Clock& clock) {
  std::unique_ptr<Deployments> made(new Deployments(store, controller, clock));
  made->subscription_ = feed.subscribe([raw = made.get()](std::uint64_t) { raw->poke(); });
  made->thread_ = std::thread([raw = made.get()] { raw->run(); });
  return made;
}

Deployments::~Deployments() {
  subscription_ = {};
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
  // Completions point here: the controller must have answered all of them.
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return busy_.empty(); });
}

void Deployments::retry_at_once() {
  const std::lock_guard lock(mutex_);
  backoffs_.clear();
}

void Deployments::poke() {
  {
    const std::lock_guard lock(mutex_);
    dirty_ = true;
  }
  wake_.notify_one();
}

// ── what clients ask ──

Result<DeploymentStatus> Deployments::add(const std::string& name, const std::string& plugin,
                                          const std::string& config_json, std::uint32_t replicas,
                                          std::uint32_t max_unavailable, std::optional<ServiceSpec> service) {
  Deployment deployment;
  deployment.name = name;
  deployment.plugin = parse_plugin_ref(plugin).name;
  deployment.replicas = replicas;
  deployment.config_json = config_json;
  deployment.created_at = clock_.now();
  deployment.max_unavailable = max_unavailable;
  TRY(check(deployment));
  run_plugin(deployment, TRY(pin(plugin, config_json)));
  TRY(check_completed(store_, deployment));
  {
    const std::lock_guard lock(change_mutex_);
    if (find(name)) {
      return fail(ErrorCode::kAlreadyExists, cat("deployment \"", name, "\" exists"),
                  cat("scale it: skerry deployments scale ", name, " --replicas N"));
    }
    TRY(settle_service(zone_of(deployment), service, std::nullopt));
    deployment.service = std::move(service);
    TRY(store_.put_deployment(deployment, {deployment_event(deployment, "created", clock_.now())}));
  }
  if (deployment.service) refresh_services();
  poke();
  return find(name);
}

Result<PluginRef> Deployments::pin(const std::string& reference, const std::string& config_json) {
  PluginRef wanted = parse_plugin_ref(reference);
  if (wanted.name.empty()) {
    const auto spec = TRY_IN("config", wire::parse_create_request(config_json)).command.spec;
    wanted = {spec.plugin, spec.plugin_version};
  }
  if (wanted.name.empty()) return wanted;
  const auto plugin = TRY(store_.find_plugin(wanted));
  if (!plugin) {
    return fail(ErrorCode::kNotFound, cat("plugin \"", to_text(wanted), "\" is not installed"),
                "see: skerry plugins list");
  }
  if (!plugin->enabled) {
    return fail(ErrorCode::kConflict, cat("plugin \"", to_text(wanted), "\" is disabled"),
                cat("enable it: skerry plugins enable ", to_text(wanted)));
  }
  return PluginRef{plugin->name, plugin->version};
}

std::string Deployments::lack_of(const Deployment& deployment) const {
  if (deployment.plugin.empty()) return {};
  const PluginRef wanted{deployment.plugin, deployment.plugin_version};
  const auto plugin = store_.find_plugin(wanted);
  if (!plugin) return {};  // the store cannot be read: that is told elsewhere
  if (!*plugin) {
    return cat("plugin \"", to_text(wanted),
               "\" is not installed any more: no replica is made or replaced until it is ",
               "installed again, or the deployment updated");
  }
  if ((*plugin)->enabled) return {};
  return cat("plugin \"", to_text(wanted), "\" is disabled: no replica is made or replaced");
}

Status Deployments::settle_service(const std::string& zone, std::optional<ServiceSpec>& service,
                                   const std::optional<ServiceSpec>& before) {
  if (!service) return {};
  TRY(validate(*service));
  if (before && (service->address.empty() || service->address == before->address)) {
    service->address = before->address;
    return {};
  }
  service->address = TRY(controller_.choose_service_address(zone, service->address));
  return {};
}

void Deployments::refresh_services() {
  if (auto refreshed = controller_.refresh_network(); !refreshed) {
    log::error("services", {{"error", refreshed.error().message()}});
  }
  crash_point("the services stand");
}

Status Deployments::change(const std::string& name, const std::vector<std::string_view>& events,
                           const std::function<Status(Deployment&)>& edit,
                           const std::map<std::string, std::string>& details) {
  {
    const std::lock_guard lock(change_mutex_);
    Deployment deployment = TRY(find(name)).deployment;
    const std::string zone = zone_of(deployment);
    TRY(edit(deployment));
    TRY(check(deployment));
    // Its address is of its zone's subnet.
    if (deployment.service && zone_of(deployment) != zone) {
      return fail(ErrorCode::kConflict,
                  cat("config.zone: deployment \"", name, "\" has a service in zone \"", zone, "\""),
                  "take its service away first, or make another deployment");
    }
    std::vector<Event> told;
    told.reserve(events.size());
    for (const auto event : events) {
      told.push_back(deployment_event(deployment, event, clock_.now()));
      for (const auto& [key, value] : details) told.back().data[key] = value;
    }
    TRY(store_.put_deployment(deployment, told));
  }
  retry_at_once();
  poke();
  return {};
}

Result<DeploymentStatus> Deployments::scale(const std::string& name, std::uint32_t replicas) {
  Change wanted;
  wanted.replicas = replicas;
  return update(name, wanted);
}

Result<DeploymentStatus> Deployments::update(const std::string& name, const Change& wanted) {
  std::vector<std::string_view> events;
  if (wanted.plugin || wanted.config_json || wanted.max_unavailable || wanted.service) events.emplace_back("updated");
  if (wanted.replicas) events.emplace_back("scaled");
  TRY(change(name, events, [&](Deployment& deployment) -> Status {
    const bool grows = wanted.replicas && *wanted.replicas > deployment.replicas;
    if (wanted.replicas) deployment.replicas = *wanted.replicas;
    if (wanted.max_unavailable) deployment.max_unavailable = *wanted.max_unavailable;
    if (wanted.service) {
      auto service = *wanted.service;
      TRY(settle_service(zone_of(deployment), service, deployment.service));
      deployment.service = std::move(service);
    }
    const Deployment before = deployment;
    if (wanted.config_json) deployment.config_json = *wanted.config_json;
    if (wanted.plugin || wanted.config_json) {
      const auto plugin = TRY(pin(wanted.plugin.value_or(""), deployment.config_json));
      // A configuration that names none leaves the one there is.
      if (wanted.plugin || !plugin.name.empty()) run_plugin(deployment, plugin);
    }
    if (grows || wanted.plugin || wanted.config_json) TRY(check_completed(store_, deployment));
    if (is_same_revision(deployment, before)) return {};
    // An update during an update: what ran last without complaint stays the one to go back to.
    if (!before.rolling) {
      deployment.previous_plugin = before.plugin;
      deployment.previous_plugin_version = before.plugin_version;
      deployment.previous_config_json = before.config_json;
    }
    deployment.rolling = true;
    forget_failures(name);
    return {};
  }));
  if (wanted.service) refresh_services();
  return find(name);
}

namespace {

Status swap_revisions(Deployment& deployment) {
  if (deployment.previous_config_json.empty()) {
    return fail(ErrorCode::kConflict,
                cat("deployment \"", deployment.name, "\" has no earlier revision to go back to"));
  }
  std::swap(deployment.plugin, deployment.previous_plugin);
  std::swap(deployment.plugin_version, deployment.previous_plugin_version);
  std::swap(deployment.config_json, deployment.previous_config_json);
  // What is gone back to has run before: should it fail now, going forth again would not help.
  deployment.rolling = false;
  return {};
}

// The revision that failed is not kept: going "back" to it by hand would be a trap.
Status take_back(Deployment& deployment) {
  TRY(swap_revisions(deployment));
  deployment.previous_plugin.clear();
  deployment.previous_plugin_version.clear();
  deployment.previous_config_json.clear();
  return {};
}

}  // namespace

Result<DeploymentStatus> Deployments::roll_back(const std::string& name) {
  TRY(change(name, {"rolled_back"}, [this](Deployment& deployment) -> Status {
    TRY(swap_revisions(deployment));
    return check_completed(store_, deployment);
  }));
  return find(name);
}

Status Deployments::remove(const std::string& name) {
  Deployment deployment;
  {
    // A change that has read it would store it again.
    const std::lock_guard lock(change_mutex_);
    deployment = TRY(find(name)).deployment;
    TRY(store_.remove_deployment(name, {deployment_event(deployment, "deleted", clock_.now())}));
  }
  {
    const std::lock_guard lock(mutex_);
    reasons_.erase(name);
    failures_.erase(name);
  }
  if (deployment.service) refresh_services();
  poke();
  return {};
}

DeploymentStatus Deployments::status_of(const Deployment& deployment, const EnvironmentViews& environments) const {
  DeploymentStatus status{deployment, 0, 0, {}};
  for (const auto& view : environments) {
    const Environment& environment = *view;
    if (environment.spec.deployment != deployment.name) continue;
    const auto replica = view_of(deployment, environment);
    if (replica.state == State::kDeleting) continue;
    ++status.current;
    status.ready += is_ready(replica) ? 1 : 0;
  }
  status.reason = lack_of(deployment);
  if (status.ready < deployment.replicas && status.reason.empty()) {
    const std::lock_guard lock(mutex_);
    if (const auto found = reasons_.find(deployment.name); found != reasons_.end()) status.reason = found->second;
  }
  return status;
}

Result<std::vector<DeploymentStatus>> Deployments::list() {
  const auto environments = controller_.views();
  std::vector<DeploymentStatus> out;
  for (const auto& deployment : TRY(store_.deployments())) out.push_back(status_of(deployment, environments));
  return out;
}

Result<DeploymentStatus> Deployments::find(const std::string& name) {
  for (auto& status : TRY(list())) {
    if (status.deployment.name == name) return std::move(status);
  }
  return fail(ErrorCode::kNotFound, cat("deployment \"", name, "\" does not exist"), "see: skerry deployments list");
}

// ── the loop ──

void Deployments::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    Duration patience = kLookAnyway;
    const MonoTime now = clock_.monotonic();
    for (const auto& [name, backoff] : backoffs_) {
      if (backoff.not_before > now) patience = std::min(patience, backoff.not_before - now);
    }
    wake_.wait_for(lock, patience, [this] { return dirty_ || stopping_; });
    if (stopping_) return;
    dirty_ = false;
    lock.unlock();
    reconcile();
    lock.lock();
  }
}

void Deployments::reconcile() {
  const auto deployments = store_.deployments();
  if (!deployments) {
    log::error("cannot read deployments", {{"error", deployments.error().message()}});
    return;
  }
  // First: a replica that has just become ready, or sick, is not to wait for what else there is to do.
  if (std::ranges::any_of(*deployments, [](const auto& each) { return each.service.has_value(); })) refresh_services();
  const auto environments = controller_.views();
  for (const auto& deployment : *deployments) reconcile_one(deployment, environments);
  remove_orphans(*deployments, environments);
}

void Deployments::reconcile_one(const Deployment& deployment, const EnvironmentViews& environments) {
  std::vector<ReplicaView> present;
  for (const auto& view : environments) {
    const Environment& environment = *view;
    if (environment.spec.deployment == deployment.name) present.push_back(view_of(deployment, environment));
  }
  forget_backoffs(deployment.name, present);
  // What cannot be made again is not taken away for being sick or old.
  const bool keep = !lack_of(deployment).empty();
  for (const auto& step : plan_deployment({deployment.replicas, deployment.max_unavailable}, present)) {
    if (keep && step.why != "scale down") continue;
    if (step.act == ReplicaAct::kCreate) {
      create_replica(deployment, step.number);
      continue;
    }
    const auto replica = std::ranges::find(present, step.number, &ReplicaView::number);
    const std::string name = replica_name(deployment.name, step.number);
    const bool removed = remove_replica(name, step.why);
    if (removed && is_crash(step.why) && replica->current_revision) {
      count_failure(deployment, cat(name, ": ", why_replaced(environments, name, step.why)));
    }
  }
  if (deployment.rolling) judge_update(deployment, present);
}

void Deployments::count_failure(const Deployment& deployment, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  ++failures_[deployment.name][full_revision_of(deployment)];
  reasons_[deployment.name] = reason;
}

void Deployments::forget_failures(const std::string& deployment) {
  const std::lock_guard lock(mutex_);
  failures_.erase(deployment);
}

void Deployments::judge_update(const Deployment& deployment, const std::vector<ReplicaView>& present) {
  const bool done = present.size() == deployment.replicas && std::ranges::all_of(present, [](const auto& each) {
                      return each.current_revision && is_ready(each);
                    });
  std::uint32_t failures = 0;
  std::map<std::string, std::string> details;
  {
    const std::lock_guard lock(mutex_);
    failures = failures_[deployment.name][full_revision_of(deployment)];
    if (!done) details["reason"] = reasons_[deployment.name];
  }
  if (!done && failures < kFailuresToRollBack) return;
  if (!done && !deployment.plugin_version.empty()) details["failed_plugin_version"] = deployment.plugin_version;
  const auto edit = [&](Deployment& now) -> Status {
    if (!now.rolling || !is_same_revision(now, deployment))
      return fail(ErrorCode::kConflict, "it has been changed meanwhile");
    if (!done) return take_back(now);
    now.rolling = false;
    return {};
  };
  const auto judged = change(deployment.name, {done ? "rolled_out" : "rolled_back"}, edit, details);
  if (!judged) return;
  forget_failures(deployment.name);
  log::info(done ? "an update is complete" : "an update has failed and is taken back",
            {{"deployment", deployment.name}});
}

void Deployments::remove_orphans(const std::vector<Deployment>& deployments, const EnvironmentViews& environments) {
  for (const auto& view : environments) {
    const Environment& environment = *view;
    const auto& owner = environment.spec.deployment;
    if (owner.empty() || environment.status.state == State::kDeleting) continue;
    const bool owned = std::ranges::any_of(deployments, [&](const auto& each) { return each.name == owner; });
    if (!owned) remove_replica(environment.spec.name, "its deployment was deleted");
  }
}

bool Deployments::claim(const std::string& name, bool creating) {
  const std::lock_guard lock(mutex_);
  if (stopping_ || busy_.contains(name)) return false;
  const auto backoff = backoffs_.find(name);
  if (creating && backoff != backoffs_.end() && clock_.monotonic() < backoff->second.not_before) return false;
  busy_.insert(name);
  return true;
}

void Deployments::release(const std::string& name, bool failed) {
  {
    const std::lock_guard lock(mutex_);
    busy_.erase(name);
    if (failed) {
      auto& backoff = backoffs_[name];
      backoff.not_before = clock_.monotonic() + restart_delay({RestartMode::kAlways, 0, 500}, backoff.failures++);
    }
    dirty_ = true;
    // Notified under the lock: once busy_ is empty the destructor may go on.
    wake_.notify_one();
    idle_.notify_all();
  }
}

void Deployments::forget_backoffs(const std::string& deployment, const std::vector<ReplicaView>& present) {
  const MonoTime now = clock_.monotonic();
  const std::lock_guard lock(mutex_);
  for (const auto& replica : present) {
    const auto found = backoffs_.find(replica_name(deployment, replica.number));
    if (found == backoffs_.end()) continue;
    auto& since = found->second.ready_since;
    if (!is_ready(replica)) {
      since.reset();
    } else if (!since) {
      since = now;
    } else if (now - *since >= kSteadyAfter) {
      backoffs_.erase(found);
    }
  }
}

void Deployments::create_replica(const Deployment& deployment, std::uint32_t number) {
  const std::string name = replica_name(deployment.name, number);
  auto command = replica_command(deployment, number);
  if (!command || !claim(name, true)) return;
  const auto created = [this, name, owner = deployment](const Result<Environment>& result) {
    if (!result) {
      log::warning("replica did not start", {{"name", name}, {"error", result.error().message()}});
      count_failure(owner, cat(name, ": ", result.error().message()));
    }
    release(name, !result);
  };
  // What was planned may be long ago, for a thread that was held up: a scale-down or an update since then would get one
  // too many.
  const std::lock_guard lock(change_mutex_);
  if (!is_still_wanted(deployment, number)) return release(name, false);
  controller_.submit(std::move(*command), created);
}

bool Deployments::is_still_wanted(const Deployment& deployment, std::uint32_t number) {
  const auto stored = store_.deployments();
  if (!stored) return false;
  const auto now = std::ranges::find(*stored, deployment.name, &Deployment::name);
  return now != stored->end() && number <= now->replicas && is_same_revision(*now, deployment);
}

bool Deployments::remove_replica(const std::string& name, std::string_view why) {
  if (!claim(name, false)) return false;
  log::info("removing a replica", {{"name", name}, {"why", why}});
  VerbCommand command;
  command.name = name;
  command.verb = Verb::kForceDelete;
  // One that ended by itself waits before it is made again; otherwise a crash loop would spin.
  controller_.submit(std::move(command), [this, name, crashed = is_crash(why)](const Result<Environment>& result) {
    release(name, crashed || !result);
  });
  return true;
}

}  // namespace skerry
