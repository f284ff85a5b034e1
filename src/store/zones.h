// The rows of `zones`: all but the default one. Used within guard() or transaction(); SQLite's exceptions pass through.
#pragma once

#include <string>
#include <vector>

#include "core/zone.h"
#include "store/connection.h"

namespace skerry::sql {

// kAlreadyExists when the name is taken.
Status insert_zone(Connection& connection, const Zone& zone);
// kNotFound.
Status delete_zone(Connection& connection, const std::string& name);
// In order of creation.
Result<std::vector<Zone>> select_zones(Connection& connection);
// "environment web", "deployment shop", "snapshot before": what names the zone.
std::vector<std::string> select_zone_users(Connection& connection, const std::string& name);

}  // namespace skerry::sql
