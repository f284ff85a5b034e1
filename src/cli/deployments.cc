// skerry deployments: list, create, scale, update, show, delete.
#include "base/file_io.h"
#include "base/text.h"
#include "cli/listing.h"
#include "cli/output.h"
#include "cli/rollout.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "core/plugin_version.h"
#include "wire/json_node.h"
#include "wire/json_writer.h"
#include "wire/run_config.h"

namespace skerry::cli {
namespace {

constexpr std::string_view kDeployments = "/api/v1/deployments";
constexpr std::size_t kMaxConfig = 1U << 20U;

std::string deployment_path(const std::string& name) { return cat(kDeployments, "/", escape(name)); }

Result<std::string> read_config(const std::string& path) {
  const auto text = TRY_IN("--config", read_file(path, kMaxConfig));
  return TRY_IN(path, wire::deployment_config(text));
}

Status put_config(wire::JsonWriter& json, const DeploymentOptions& options) {
  if (!options.config_path.empty()) json.key("config").raw(TRY(read_config(options.config_path)));
  if (!options.image.empty()) json.key("config").begin_object().field("image", options.image).end_object();
  return {};
}

Status put_service(wire::JsonWriter& json, const DeploymentOptions& options) {
  if (options.no_service) {
    json.key("service").null();
    return {};
  }
  if (options.service_ports.empty()) {
    if (options.service_address.empty()) return {};
    return fail(ErrorCode::kInvalidArgument, "--service-address goes with --service-port");
  }
  json.key("service").begin_object();
  if (!options.service_address.empty()) json.field("address", options.service_address);
  json.field("ports", options.service_ports).end_object();
  return {};
}

// "192.168.127.2 80:8080,53/udp", empty without one.
std::string service_text(const wire::JsonNode& deployment) {
  const auto address = deployment.text("service.address");
  if (address.empty()) return {};
  std::vector<std::string> ports;
  for (const auto& each : deployment.at("service").at("ports").items()) ports.push_back(each.text());
  return cat(address, ' ', join(ports, ","));
}

Status report(const Session& session, const wire::JsonNode& json) {
  if (session.settings.output == OutputForm::kJson) return print_json(json);
  if (session.settings.quiet) return {};
  const auto reason = json.text("reason");
  return print(cat(json.text("name"), ": ", json.text("replicas"), " wanted, ", json.text("ready"), " ready",
                   service_text(json).empty() ? "" : cat(", at ", service_text(json)),
                   reason.empty() ? "" : cat(" (", reason, ")"), '\n'));
}

// Asks for it, and where that was said waits until it has come to its end.
Outcome change(const Session& session, const DeploymentOptions& options, std::string_view method,
               std::string_view below, const std::string& body) {
  const auto& name = options.names.front();
  const auto ask = [&]() -> Result<wire::JsonNode> {
    return wire::JsonNode::parse(TRY(session.http.expect(method, cat(deployment_path(name), below), body)).body);
  };
  const auto json = options.wait_seconds ? TRY(change_and_wait(session, name, *options.wait_seconds, ask)) : TRY(ask());
  TRY(report(session, json));
  return kExitSuccess;
}

}  // namespace

Outcome list_deployments(const Session& session) {
  return print_list(session, kDeployments, {"NAME", "RUNS", "WANTED", "CURRENT", "READY", "SERVICE", "CREATED"},
                    [](const wire::JsonNode& each) {
                      const auto plugin = each.text("plugin");
                      return std::vector<std::string>{each.text("name"),
                                                      plugin.empty()
                                                          ? each.text("config.image")
                                                          : to_text(PluginRef{plugin, each.text("plugin_version")}),
                                                      each.text("replicas"),
                                                      each.text("current"),
                                                      each.text("ready"),
                                                      service_text(each),
                                                      human_age(each.text("created_at"))};
                    });
}

Outcome create_deployment(const Session& session, const DeploymentOptions& options) {
  wire::JsonWriter json;
  json.begin_object().field("name", options.names.front());
  if (!options.plugin.empty()) json.field("plugin", options.plugin);
  TRY(put_config(json, options));
  if (options.max_unavailable) json.field("max_unavailable", *options.max_unavailable);
  TRY(put_service(json, options));
  json.field("replicas", options.replicas.value_or(1)).end_object();
  const auto answer = TRY(session.http.expect("POST", kDeployments, std::move(json).text()));
  TRY(report(session, TRY(wire::JsonNode::parse(answer.body))));
  return kExitSuccess;
}

Outcome scale_deployment(const Session& session, const DeploymentOptions& options) {
  wire::JsonWriter json;
  json.begin_object().field("replicas", options.replicas.value_or(1)).end_object();
  return change(session, options, "PATCH", "", std::move(json).text());
}

Outcome update_deployment(const Session& session, const DeploymentOptions& options) {
  wire::JsonWriter json;
  const bool service = options.no_service || !options.service_ports.empty() || !options.service_address.empty();
  if (options.plugin.empty() && options.config_path.empty() && options.image.empty() && !options.max_unavailable &&
      !service) {
    return fail(
        ErrorCode::kInvalidArgument,
        "nothing to change: give --plugin, --image, --config, --max-unavailable, --service-port or --no-service");
  }
  json.begin_object();
  if (!options.plugin.empty()) json.field("plugin", options.plugin);
  TRY(put_config(json, options));
  if (options.max_unavailable) json.field("max_unavailable", *options.max_unavailable);
  TRY(put_service(json, options));
  json.end_object();
  return change(session, options, "PATCH", "", std::move(json).text());
}

Outcome roll_back_deployment(const Session& session, const DeploymentOptions& options) {
  return change(session, options, "POST", "/rollback", "");
}

Outcome show_deployments(const Session& session, const DeploymentOptions& options) {
  return show_each(session, options.names, deployment_path);
}

Outcome delete_deployments(const Session& session, const DeploymentOptions& options) {
  return remove_each(session, options.names, deployment_path);
}

}  // namespace skerry::cli
