#include "store/plugins.h"

#include <algorithm>

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

std::unexpected<Error> not_installed(const PluginRef& plugin) {
  return fail(ErrorCode::kNotFound, cat("plugin ", to_text(plugin), " is not installed"), "see skerry plugins list");
}

Status check_unused(Connection& connection, const PluginRef& plugin) {
  Query query = connection.query(
      "SELECT 'deployment ' || name FROM deployments WHERE plugin = ?1 AND ?2 IN ('', plugin_version)"
      " UNION ALL SELECT 'environment ' || name FROM environments WHERE plugin = ?1 AND ?2 IN ('', plugin_version)"
      " LIMIT 1");
  query.bind(plugin.name, plugin.version);
  if (!query.next()) return {};
  return fail(ErrorCode::kConflict, cat("plugin ", to_text(plugin), " is used by ", query.text(0)),
              "delete that first");
}

bool is_newer(const Plugin& left, const Plugin& right) { return compare_versions(left.version, right.version) > 0; }

}  // namespace

Status insert_plugin(Connection& connection, const Plugin& plugin) {
  const PluginRef reference{plugin.name, plugin.version};
  if (select_plugin(connection, reference)) {
    return fail(ErrorCode::kAlreadyExists, cat("plugin ", to_text(reference), " is installed already"),
                "remove it first, or give the new one another version");
  }
  connection.query("INSERT OR IGNORE INTO plugin_names (name) VALUES (?)").bind(plugin.name).run();
  connection
      .query("INSERT INTO plugins (name, version, runtime, manifest, enabled, created_at) VALUES (?, ?, ?, ?, ?, ?)")
      .bind(plugin.name, plugin.version, plugin.runtime, plugin.manifest_json, plugin.enabled, plugin.created_at)
      .run();
  return {};
}

Status update_plugin_enabled(Connection& connection, const PluginRef& plugin, bool enabled) {
  Query query = connection.query("UPDATE plugins SET enabled = ?1 WHERE name = ?2 AND ?3 IN ('', version)");
  if (query.bind(enabled, plugin.name, plugin.version).run() == 0) return not_installed(plugin);
  return {};
}

Status delete_plugin(Connection& connection, const PluginRef& plugin, PluginUsers users) {
  if (users == PluginUsers::kRefuse) TRY(check_unused(connection, plugin));
  Query query = connection.query("DELETE FROM plugins WHERE name = ?1 AND ?2 IN ('', version)");
  if (query.bind(plugin.name, plugin.version).run() == 0) return not_installed(plugin);
  // What is still used keeps its name.
  connection
      .query(
          "DELETE FROM plugin_names WHERE name NOT IN (SELECT name FROM plugins)"
          " AND name NOT IN (SELECT plugin FROM environments WHERE plugin IS NOT NULL)"
          " AND name NOT IN (SELECT plugin FROM deployments WHERE plugin IS NOT NULL)")
      .run();
  return {};
}

std::vector<Plugin> select_plugins(Connection& connection) {
  Query query = connection.query("SELECT name, version, runtime, manifest, enabled, created_at FROM plugins");
  std::vector<Plugin> plugins;
  while (query.next()) plugins.push_back(read_plugin(query));
  std::ranges::sort(plugins, [](const Plugin& left, const Plugin& right) {
    return left.name != right.name ? left.name < right.name : is_newer(left, right);
  });
  return plugins;
}

std::optional<Plugin> select_plugin(Connection& connection, const PluginRef& plugin) {
  Query query = connection.query(
      "SELECT name, version, runtime, manifest, enabled, created_at FROM plugins"
      " WHERE name = ?1 AND ?2 IN ('', version)");
  query.bind(plugin.name, plugin.version);
  std::optional<Plugin> best;
  while (query.next()) {
    auto found = read_plugin(query);
    const bool better = !best || (found.enabled != best->enabled ? found.enabled : is_newer(found, *best));
    if (better) best = std::move(found);
  }
  return best;
}

}  // namespace skerry::sql
