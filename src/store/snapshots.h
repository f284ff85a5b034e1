// The rows of `snapshots`. Used within guard() or transaction(); SQLite's exceptions pass through.
#pragma once

#include <string>
#include <vector>

#include "core/snapshot.h"
#include "store/connection.h"

namespace skerry::sql {

// kAlreadyExists when the name is taken.
Status insert_snapshot(Connection& connection, const Snapshot& snapshot);
// kNotFound.
Status delete_snapshot(Connection& connection, const std::string& name);
// By name.
Result<std::vector<Snapshot>> select_snapshots(Connection& connection);

}  // namespace skerry::sql
