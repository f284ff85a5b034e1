// The rows of `deployments`. Used within guard() or transaction(); SQLite's exceptions pass through.
#pragma once

#include <string>
#include <vector>

#include "core/plugin.h"
#include "store/connection.h"

namespace skerry::sql {

// Inserts, or replaces the one of that name. kNotFound when its plugin is not installed.
Status upsert_deployment(Connection& connection, const Deployment& deployment);
// kNotFound.
Status delete_deployment(Connection& connection, const std::string& name);
// By name.
std::vector<Deployment> select_deployments(Connection& connection);

}  // namespace skerry::sql
