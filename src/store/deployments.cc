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

}  // namespace

Status upsert_deployment(Connection& connection, const Deployment& deployment) {
  if (!deployment.plugin.empty() && !select_plugin(connection, deployment.plugin)) {
    return fail(ErrorCode::kNotFound, cat("plugin ", deployment.plugin, " is not installed"));
  }
  connection
      .query(
          "INSERT INTO deployments (name, plugin, replicas, config, created_at, max_unavailable, previous_plugin,"
          " previous_config, rolling, service_address, service_ports) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
          " ON CONFLICT (name) DO UPDATE SET plugin = excluded.plugin, replicas = excluded.replicas,"
          " config = excluded.config, created_at = excluded.created_at, max_unavailable = excluded.max_unavailable,"
          " previous_plugin = excluded.previous_plugin, previous_config = excluded.previous_config,"
          " rolling = excluded.rolling, service_address = excluded.service_address,"
          " service_ports = excluded.service_ports")
      .bind(deployment.name, null_if_empty(deployment.plugin), deployment.replicas, deployment.config_json,
            deployment.created_at, deployment.max_unavailable, deployment.previous_plugin,
            deployment.previous_config_json, deployment.rolling ? 1 : 0,
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
      "SELECT name, plugin, replicas, config, created_at, max_unavailable, previous_plugin, previous_config, rolling,"
      " service_address, service_ports FROM deployments ORDER BY name");
  std::vector<Deployment> deployments;
  while (query.next()) {
    deployments.push_back({query.text(0), query.text(1), static_cast<std::uint32_t>(query.number(2)), query.text(3),
                           query.time(4), static_cast<std::uint32_t>(query.number(5)), query.text(6), query.text(7),
                           query.number(8) != 0, read_service(query.text(9), query.text(10))});
  }
  return deployments;
}

}  // namespace skerry::sql
