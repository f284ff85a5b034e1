// skerry deployments: list, create, scale, update, show, delete.
#include "base/file_io.h"
#include "base/text.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "wire/json_writer.h"

namespace skerry::cli {
namespace {

constexpr std::string_view kDeployments = "/api/v1/deployments";
constexpr std::size_t kMaxConfig = 1U << 20U;

std::string deployment_path(const std::string& name) { return cat(kDeployments, "/", escape(name)); }

Result<std::string> read_config(const std::string& path) {
  const auto text = TRY_IN("--config", read_file(path, kMaxConfig));
  return TRY(wire::JsonNode::parse(text, path)).dump();
}

Status report(const Session& session, const std::string& body) {
  const auto json = TRY(wire::JsonNode::parse(body));
  if (session.settings.output == OutputForm::kJson) return print_json(json);
  if (session.settings.quiet) return {};
  return print(cat(json.text("name"), ": ", json.text("replicas"), " wanted, ", json.text("ready"), " ready\n"));
}

}  // namespace

Outcome list_deployments(const Session& session) {
  const auto json = TRY(wire::JsonNode::parse(TRY(session.http.expect("GET", kDeployments)).body));
  if (session.settings.output == OutputForm::kJson) {
    TRY(print_json(json));
    return kExitSuccess;
  }
  Table table({"NAME", "RUNS", "WANTED", "CURRENT", "READY", "CREATED"});
  for (const auto& each : json.items()) {
    const auto plugin = each.text("plugin");
    table.add({each.text("name"), plugin.empty() ? each.text("config.image") : plugin, each.text("replicas"),
               each.text("current"), each.text("ready"), human_age(each.text("created_at"))});
  }
  TRY(print(table.text()));
  return kExitSuccess;
}

Outcome create_deployment(const Session& session, const DeploymentOptions& options) {
  wire::JsonWriter json;
  json.begin_object().field("name", options.names.front());
  if (!options.plugin.empty()) json.field("plugin", options.plugin);
  if (!options.config_path.empty()) json.key("config").raw(TRY(read_config(options.config_path)));
  if (options.max_unavailable) json.field("max_unavailable", *options.max_unavailable);
  json.field("replicas", options.replicas.value_or(1)).end_object();
  TRY(report(session, TRY(session.http.expect("POST", kDeployments, std::move(json).text())).body));
  return kExitSuccess;
}

Outcome scale_deployment(const Session& session, const DeploymentOptions& options) {
  wire::JsonWriter json;
  json.begin_object().field("replicas", options.replicas.value_or(1)).end_object();
  const auto path = deployment_path(options.names.front());
  TRY(report(session, TRY(session.http.expect("PATCH", path, std::move(json).text())).body));
  return kExitSuccess;
}

Outcome update_deployment(const Session& session, const DeploymentOptions& options) {
  wire::JsonWriter json;
  if (options.plugin.empty() && options.config_path.empty() && !options.max_unavailable) {
    return fail(ErrorCode::kInvalidArgument, "nothing to change: give --plugin, --config or --max-unavailable");
  }
  json.begin_object();
  if (!options.plugin.empty()) json.field("plugin", options.plugin);
  if (!options.config_path.empty()) json.key("config").raw(TRY(read_config(options.config_path)));
  if (options.max_unavailable) json.field("max_unavailable", *options.max_unavailable);
  json.end_object();
  const auto path = deployment_path(options.names.front());
  TRY(report(session, TRY(session.http.expect("PATCH", path, std::move(json).text())).body));
  return kExitSuccess;
}

Outcome roll_back_deployment(const Session& session, const DeploymentOptions& options) {
  const auto path = deployment_path(options.names.front()) + "/rollback";
  TRY(report(session, TRY(session.http.expect("POST", path)).body));
  return kExitSuccess;
}

Outcome show_deployments(const Session& session, const DeploymentOptions& options) {
  for (const auto& name : options.names) {
    TRY(print_json(TRY(wire::JsonNode::parse(TRY(session.http.expect("GET", deployment_path(name))).body))));
  }
  return kExitSuccess;
}

Outcome delete_deployments(const Session& session, const DeploymentOptions& options) {
  for (const auto& name : options.names) {
    TRY(session.http.expect("DELETE", deployment_path(name)));
    TRY(print_done(session, name));
  }
  return kExitSuccess;
}

}  // namespace skerry::cli
