#include "store/deployments.h"

#include "base/text.h"
#include "core/net.h"
#include "store/plugins.h"

namespace skerry::sql {

namespace {

std::string ports_text(const std::optional<ServiceSpec>& service) {
  std::vector<std::string> texts;
  if (service) {
    for (const auto& port : service->ports) texts.push_back(to_text(port));
  }
  return join(texts, ",");
}

std::optional<ServiceSpec> read_service(const std::string& address, const std::string& ports) {
  if (address.empty()) return std::nullopt;
  ServiceSpec service{address, {}};
  for (const auto text : split(ports, ',')) {
    if (auto port = parse_service_port(text)) service.ports.push_back(std::move(*port));
  }
  return service;
}

// One whose plugin was removed by force can still be scaled down, or be given another service.
Status check_plugin(Connection& connection, const Deployment& deployment) {
  const PluginRef plugin{deployment.plugin, deployment.plugin_version};
  if (plugin.name.empty() || select_plugin(connection, plugin)) return {};
  Query query = connection.query("SELECT 1 FROM deployments WHERE name = ? AND plugin = ? AND plugin_version = ?");
  if (query.bind(deployment.name, plugin.name, plugin.version).next()) return {};
  return fail(ErrorCode::kNotFound, cat("plugin ", to_text(plugin), " is not installed"), "see skerry plugins list");
}

}  // namespace

Status upsert_deployment(Connection& connection, const Deployment& deployment) {
  TRY(check_plugin(connection, deployment));
  connection
      .query(
          "INSERT INTO deployments (name, plugin, plugin_version, replicas, config, created_at, max_unavailable,"
          " previous_plugin, previous_plugin_version, previous_config, rolling, reverting, service_address,"
          " service_ports)"
          " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
          " ON CONFLICT (name) DO UPDATE SET plugin = excluded.plugin, plugin_version = excluded.plugin_version,"
          " replicas = excluded.replicas,"
          " config = excluded.config, created_at = excluded.created_at, max_unavailable = excluded.max_unavailable,"
          " previous_plugin = excluded.previous_plugin,"
          " previous_plugin_version = excluded.previous_plugin_version, previous_config = excluded.previous_config,"
          " rolling = excluded.rolling, reverting = excluded.reverting, service_address = excluded.service_address,"
          " service_ports = excluded.service_ports")
      .bind(deployment.name, null_if_empty(deployment.plugin), deployment.plugin_version, deployment.replicas,
            deployment.config_json, deployment.created_at, deployment.max_unavailable, deployment.previous_plugin,
            deployment.previous_plugin_version, deployment.previous_config_json, deployment.rolling ? 1 : 0,
            deployment.reverting ? 1 : 0,
            null_if_empty(deployment.service ? deployment.service->address : std::string()),
            ports_text(deployment.service))
      .run();
  return {};
}

Status delete_deployment(Connection& connection, const std::string& name) {
  if (connection.query("DELETE FROM deployments WHERE name = ?").bind(name).run() == 0) {
    return fail(ErrorCode::kNotFound, cat("deployment ", name, " does not exist"), "see skerry deployments list");
  }
  return {};
}

std::vector<Deployment> select_deployments(Connection& connection) {
  Query query = connection.query(
      "SELECT name, plugin, plugin_version, replicas, config, created_at, max_unavailable, previous_plugin,"
      " previous_plugin_version, previous_config, rolling, reverting, service_address, service_ports"
      " FROM deployments ORDER BY name");
  std::vector<Deployment> deployments;
  while (query.next()) {
    Deployment each;
    each.name = query.text(0);
    each.plugin = query.text(1);
    each.plugin_version = query.text(2);
    each.replicas = static_cast<std::uint32_t>(query.number(3));
    each.config_json = query.text(4);
    each.created_at = query.time(5);
    each.max_unavailable = static_cast<std::uint32_t>(query.number(6));
    each.previous_plugin = query.text(7);
    each.previous_plugin_version = query.text(8);
    each.previous_config_json = query.text(9);
    each.rolling = query.number(10) != 0;
    each.reverting = query.number(11) != 0;
    each.service = read_service(query.text(12), query.text(13));
    deployments.push_back(std::move(each));
  }
  return deployments;
}

}  // namespace skerry::sql
