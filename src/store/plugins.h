// The rows of `plugins`. Used within guard() or transaction(); SQLite's exceptions pass through.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/plugin.h"
#include "store/connection.h"

namespace skerry::sql {

// kAlreadyExists when the name is taken.
Status insert_plugin(Connection& connection, const Plugin& plugin);
// kNotFound.
Status update_plugin_enabled(Connection& connection, const std::string& name, bool enabled);
// kNotFound; kConflict, naming the user, while an environment or a deployment is made of it.
Status delete_plugin(Connection& connection, const std::string& name, PluginUsers users);
// By name.
std::vector<Plugin> select_plugins(Connection& connection);
std::optional<Plugin> select_plugin(Connection& connection, const std::string& name);

}  // namespace skerry::sql
