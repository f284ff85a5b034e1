#include "control/deployments.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "control/deployment_checks.h"
#include "control/deployment_revision.h"
#include "control/deployment_services.h"

namespace skerry {
namespace {

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

}  // namespace

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

void Deployments::retry_at_once(const std::string& deployment) {
  const std::lock_guard lock(mutex_);
  // Only its own: others' replicas are other people's.
  std::erase_if(backoffs_, [&](const auto& each) { return replica_number(deployment, each.first) != 0; });
  surplus_since_.erase(deployment);
}

void Deployments::poke() {
  {
    const std::lock_guard lock(mutex_);
    dirty_ = true;
  }
  wake_.notify_one();
}

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
  TRY(check_deployment(deployment));
  run_plugin(deployment, TRY(pin_plugin(store_, plugin, config_json)));
  TRY(check_completed(store_, deployment));
  {
    const std::lock_guard lock(change_mutex_);
    if (find(name)) {
      return fail(ErrorCode::kAlreadyExists, cat("deployment \"", name, "\" exists"),
                  cat("scale it: skerry deployments scale ", name, " --replicas N"));
    }
    TRY(settle_service(controller_, zone_of(deployment), service, std::nullopt));
    deployment.service = std::move(service);
    TRY(store_.put_deployment(deployment, {deployment_event(deployment, "created", clock_.now())}));
  }
  if (deployment.service) refresh_services(controller_);
  poke();
  return find(name);
}

Status Deployments::change(const std::string& name, const std::vector<std::string_view>& events,
                           const std::function<Status(Deployment&)>& edit,
                           const std::map<std::string, std::string>& details) {
  {
    const std::lock_guard lock(change_mutex_);
    Deployment deployment = TRY(find(name)).deployment;
    const std::string zone = zone_of(deployment);
    TRY(edit(deployment));
    TRY(check_deployment(deployment));
    TRY(check_service_stays(deployment, zone));
    std::vector<Event> told;
    told.reserve(events.size());
    for (const auto event : events) {
      told.push_back(deployment_event(deployment, event, clock_.now()));
      for (const auto& [key, value] : details) told.back().data[key] = value;
    }
    TRY(store_.put_deployment(deployment, told));
  }
  retry_at_once(name);
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
      TRY(settle_service(controller_, zone_of(deployment), service, deployment.service));
      deployment.service = std::move(service);
    }
    const Deployment before = deployment;
    if (wanted.config_json) deployment.config_json = *wanted.config_json;
    if (wanted.plugin || wanted.config_json) {
      const auto plugin = TRY(pin_plugin(store_, wanted.plugin.value_or(""), deployment.config_json));
      // A configuration that names none leaves the one there is.
      if (wanted.plugin || !plugin.name.empty()) run_plugin(deployment, plugin);
    }
    if (grows || wanted.plugin || wanted.config_json) TRY(check_completed(store_, deployment));
    if (is_same_revision(deployment, before)) return {};
    // An update during an update: what ran last without complaint stays the one to go back to.
    if (!before.rolling || before.reverting) {
      deployment.previous_plugin = before.plugin;
      deployment.previous_plugin_version = before.plugin_version;
      deployment.previous_config_json = before.config_json;
    }
    deployment.rolling = true;
    deployment.reverting = false;
    forget_failures(name);
    return {};
  }));
  if (wanted.service) refresh_services(controller_);
  return find(name);
}

Result<DeploymentStatus> Deployments::roll_back(const std::string& name) {
  TRY(change(name, {"rolled_back"}, [this](Deployment& deployment) -> Status {
    TRY(swap_revisions(deployment));
    TRY(check_completed(store_, deployment));
    forget_failures(deployment.name);
    return {};
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
    failures_.erase(name);
    taken_back_.erase(name);
    surplus_since_.erase(name);
  }
  if (deployment.service) refresh_services(controller_);
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
    status.ready += replica.number <= deployment.replicas && is_ready(replica) ? 1 : 0;
  }
  status.reason = lack_of(store_, deployment);
  if (status.ready < deployment.replicas && status.reason.empty()) {
    status.reason = failures_of(deployment).last;
    const std::lock_guard lock(mutex_);
    const auto taken_back = taken_back_.find(deployment.name);
    if (status.reason.empty() && taken_back != taken_back_.end()) {
      status.reason = cat("the last update was taken back: ", taken_back->second);
    }
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

}  // namespace skerry
