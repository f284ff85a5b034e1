#include "store/plugins.h"

#include "base/text.h"

namespace skerry::sql {
namespace {

Plugin read_plugin(const Query& row) {
  Plugin plugin;
  plugin.name = row.text(0);
  plugin.version = row.text(1);
  plugin.runtime = row.text(2);
  plugin.manifest_json = row.text(3);
  plugin.enabled = row.number(4) != 0;
  plugin.created_at = row.time(5);
  return plugin;
}

std::unexpected<Error> not_installed(const std::string& name) {
  return fail(ErrorCode::kNotFound, cat("plugin ", name, " is not installed"), "see skerry plugins list");
}

Status check_unused(Connection& connection, const std::string& name) {
  Query query = connection.query(
      "SELECT 'deployment ' || name FROM deployments WHERE plugin = ?1"
      " UNION ALL SELECT 'environment ' || name FROM environments WHERE plugin = ?1 LIMIT 1");
  query.bind(name);
  if (!query.next()) return {};
  return fail(ErrorCode::kConflict, cat("plugin ", name, " is used by ", query.text(0)), "delete that first");
}

}  // namespace

Status insert_plugin(Connection& connection, const Plugin& plugin) {
  if (select_plugin(connection, plugin.name)) {
    return fail(ErrorCode::kAlreadyExists, cat("plugin ", plugin.name, " is installed already"), "remove it first");
  }
  connection
      .query("INSERT INTO plugins (name, version, runtime, manifest, enabled, created_at) VALUES (?, ?, ?, ?, ?, ?)")
      .bind(plugin.name, plugin.version, plugin.runtime, plugin.manifest_json, plugin.enabled, plugin.created_at)
      .run();
  return {};
}

Status update_plugin_enabled(Connection& connection, const std::string& name, bool enabled) {
  if (connection.query("UPDATE plugins SET enabled = ? WHERE name = ?").bind(enabled, name).run() == 0) {
    return not_installed(name);
  }
  return {};
}

Status delete_plugin(Connection& connection, const std::string& name, PluginUsers users) {
  if (users == PluginUsers::kLeaveBehind) {
    connection.query("UPDATE environments SET plugin = NULL WHERE plugin = ?").bind(name).run();
  }
  TRY(check_unused(connection, name));
  if (connection.query("DELETE FROM plugins WHERE name = ?").bind(name).run() == 0) return not_installed(name);
  return {};
}

std::vector<Plugin> select_plugins(Connection& connection) {
  Query query =
      connection.query("SELECT name, version, runtime, manifest, enabled, created_at FROM plugins ORDER BY name");
  std::vector<Plugin> plugins;
  while (query.next()) plugins.push_back(read_plugin(query));
  return plugins;
}

std::optional<Plugin> select_plugin(Connection& connection, const std::string& name) {
  Query query =
      connection.query("SELECT name, version, runtime, manifest, enabled, created_at FROM plugins WHERE name = ?");
  query.bind(name);
  if (!query.next()) return std::nullopt;
  return read_plugin(query);
}

}  // namespace skerry::sql
