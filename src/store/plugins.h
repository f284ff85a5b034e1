// The rows of `plugins`. Used within guard() or transaction(); SQLite's exceptions pass through.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/plugin.h"
#include "core/plugin_version.h"
#include "store/connection.h"

namespace skerry::sql {

// In what follows a reference without a version means every version of the name.

// kAlreadyExists when this version of the name is there.
Status insert_plugin(Connection& connection, const Plugin& plugin);
// kNotFound.
Status update_plugin_enabled(Connection& connection, const PluginRef& plugin, bool enabled);
// kNotFound; with kRefuse kConflict, naming the user, while an environment or a deployment is made of it.
Status delete_plugin(Connection& connection, const PluginRef& plugin, PluginUsers users);
// By name, the newest version first.
std::vector<Plugin> select_plugins(Connection& connection);
// Without a version the newest enabled one; where none is enabled, the newest.
std::optional<Plugin> select_plugin(Connection& connection, const PluginRef& plugin);

}  // namespace skerry::sql
