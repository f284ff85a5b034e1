// /api/v1/deployments: N replicas of a plugin or an image, kept at N.
#include "control/deployments.h"

#include "api/find.h"
#include "api/handlers.h"
#include "api/permit.h"
#include "base/text.h"
#include "control/deployment_revision.h"
#include "core/net.h"
#include "wire/environment_json.h"
#include "wire/hidden_texts.h"
#include "wire/json_writer.h"
#include "wire/requests.h"

namespace skerry::api {
namespace {

void write_service(wire::JsonWriter& json, const std::optional<ServiceSpec>& service) {
  if (!service) {
    json.null();
    return;
  }
  std::vector<std::string> ports;
  for (const auto& each : service->ports) ports.push_back(to_text(each));
  json.begin_object().field("address", service->address).field("ports", ports).end_object();
}

std::string config_for(const Caller& caller, const std::string& config_json) {
  if (config_json.empty()) return "{}";
  return caller.may_read_secrets() ? config_json : wire::without_secrets(config_json);
}

// It may have been in another zone before.
bool may_see_previous(const Caller& caller, const Deployment& deployment) {
  if (caller.zones.empty()) return true;
  Deployment before = deployment;
  before.config_json = deployment.previous_config_json;
  return caller.may_touch_zone(zone_of(before));
}

void write_deployment(wire::JsonWriter& json, const DeploymentStatus& status, const Caller& caller) {
  const auto& deployment = status.deployment;
  json.begin_object()
      .field("name", deployment.name)
      .field("plugin", deployment.plugin)
      .field("plugin_version", deployment.plugin_version)
      .field("replicas", deployment.replicas)
      .field("current", status.current)
      .field("ready", status.ready)
      .field("reason", status.reason)
      .key("config")
      .raw(config_for(caller, deployment.config_json))
      .field("max_unavailable", deployment.max_unavailable)
      .field("rolling", deployment.rolling);
  write_service(json.key("service"), deployment.service);
  json.key("previous");
  if (deployment.previous_config_json.empty() || !may_see_previous(caller, deployment)) {
    json.null();
  } else {
    json.begin_object()
        .field("plugin", deployment.previous_plugin)
        .field("plugin_version", deployment.previous_plugin_version)
        .key("config")
        .raw(config_for(caller, deployment.previous_config_json))
        .end_object();
  }
  json.field("created_at", to_rfc3339(deployment.created_at)).end_object();
}

std::string plugin_of(const wire::DeploymentRequest& request) {
  return to_text(PluginRef{request.plugin, request.plugin_version});
}

Response deployment_response(const Request& request, const DeploymentStatus& deployment, int status = 200) {
  wire::JsonWriter json;
  write_deployment(json, deployment, request.caller);
  return json_response(std::move(json).text(), status);
}

bool is_visible(const Request& request, const DeploymentStatus& status) {
  return request.caller.zones.empty() || request.caller.may_touch_zone(zone_of(status.deployment));
}

// The zone of the replicas is there. To be held until it is stored.
Status check_zone_of(Context& context, const std::string& config_json) {
  const auto request = TRY_IN("config", wire::parse_create_request(config_json));
  TRY_IN("config", context.ports.zones.find(request.command.spec.zone));
  return {};
}

// kNotFound also for one in a zone that is not the caller's.
Result<DeploymentStatus> find_deployment(Context& context, const Request& request) {
  const auto& name = request.parameter("name");
  auto status = TRY(context.ports.deployments.find(name));
  if (is_visible(request, status)) return status;
  return fail(ErrorCode::kNotFound, cat("deployment \"", name, "\" does not exist"), "see: skerry deployments list");
}

// Whether the caller might have made it as it is, also its service: an address outside of its zone's subnet was given
// by an admin of the whole host, and who could change what answers there would have it.
Status may_change(Context& context, const Caller& caller, const Deployment& deployment) {
  TRY(check_replica_config(caller, deployment.config_json.empty() ? "{}" : deployment.config_json));
  if (!deployment.service || caller.owns_host()) return {};
  const auto zone = TRY(context.ports.zones.find(zone_of(deployment)));
  if (TRY(Cidr::parse(zone.subnet)).contains(TRY(Ipv4::parse(deployment.service->address)))) return {};
  return may_serve(caller, deployment.service);
}

}  // namespace

Result<Response> list_deployments(Context& context, const Request& request) {
  auto all = TRY(context.ports.deployments.list());
  std::erase_if(all, [&](const auto& each) { return !is_visible(request, each); });
  return list_page(request, all, [&](wire::JsonWriter& json, const DeploymentStatus& each) {
    write_deployment(json, each, request.caller);
  });
}

Result<Response> show_deployment(Context& context, const Request& request) {
  return deployment_response(request, TRY(find_deployment(context, request)));
}

Result<Response> create_deployment(Context& context, const Request& request) {
  const auto wanted = TRY(wire::parse_deployment_request(request.body));
  const auto held = context.ports.zones.hold();
  // Before the zone is looked for: who may not touch it is not told whether it is there.
  TRY(check_replica_config(request.caller, wanted.config_json.value_or("{}")));
  TRY(may_serve(request.caller, wanted.service.value_or(std::nullopt)));
  TRY(check_zone_of(context, wanted.config_json.value_or("{}")));
  auto response = deployment_response(
      request,
      TRY(context.ports.deployments.add(wanted.name, plugin_of(wanted), wanted.config_json.value_or("{}"),
                                        wanted.replicas.value_or(1), wanted.max_unavailable.value_or(1),
                                        wanted.service.value_or(std::nullopt))),
      201);
  response.headers.emplace_back("Location", cat("/api/v1/deployments/", wanted.name));
  return response;
}

Result<Response> change_deployment(Context& context, const Request& request) {
  const auto& name = request.parameter("name");
  const auto change = TRY(wire::parse_deployment_change(request.body));
  const auto held = context.ports.zones.hold();
  const auto status = TRY(find_deployment(context, request));
  // How many there are is an operator's business, whoever made them.
  if (change.config_json || change.has_plugin || change.max_unavailable || change.service) {
    Deployment changed = status.deployment;
    if (change.service && !*change.service) changed.service.reset();
    TRY(may_change(context, request.caller, changed));
    // What the replicas will be made from, whoever wrote it.
    TRY(check_replica_config(request.caller, change.config_json.value_or(status.deployment.config_json)));
    TRY(may_serve(request.caller, change.service.value_or(std::nullopt)));
    if (change.config_json) TRY(check_zone_of(context, *change.config_json));
  }
  Deployments::Change update{std::nullopt, change.config_json, change.max_unavailable, change.service, change.replicas};
  if (change.has_plugin) update.plugin = plugin_of(change);
  return deployment_response(request, TRY(context.ports.deployments.update(name, update)));
}

Result<Response> roll_back_deployment(Context& context, const Request& request) {
  const auto status = TRY(find_deployment(context, request));
  TRY(may_change(context, request.caller, status.deployment));
  const std::string& before = status.deployment.previous_config_json;
  if (!before.empty()) TRY(check_replica_config(request.caller, before));
  return deployment_response(request, TRY(context.ports.deployments.roll_back(request.parameter("name"))));
}

Result<Response> delete_deployment(Context& context, const Request& request) {
  TRY(find_deployment(context, request));
  TRY(context.ports.deployments.remove(request.parameter("name")));
  return no_content();
}

}  // namespace skerry::api
