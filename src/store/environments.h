// The rows of `environments`. Used within guard() or transaction(); SQLite's exceptions pass through.
#pragma once

#include <string>
#include <vector>

#include "core/environment.h"
#include "store/connection.h"

namespace skerry::sql {

// kAlreadyExists when name or id is taken; kNotFound when its plugin is not installed. The address is not stored here:
// it is the lease's.
Status insert_environment(Connection& connection, const Environment& environment);
// kNotFound when there is none with its id.
Status update_environment(Connection& connection, const Environment& environment);
// With it goes its lease. Whether there was one.
bool delete_environment(Connection& connection, const std::string& id);
// In order of creation, with their leased addresses.
Result<std::vector<Environment>> select_environments(Connection& connection);

}  // namespace skerry::sql
