// The rows of `ip_leases`. Used within guard() or transaction(); SQLite's exceptions pass through.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/zone.h"
#include "store/connection.h"
#include "store/store.h"

namespace skerry::sql {

// Leases the lowest free address of the zone's pool to an environment that is there already. An address that any zone
// has leased is taken. kResourceExhausted when there is none.
Result<std::string> insert_lease(Connection& connection, const Zone& zone, const std::string& environment_id,
                                 WallTime now);
// The lease of this environment, if it has one, outlives it.
void set_lease_aside(Connection& connection, const std::string& environment_id);
// Deletes the lease of an address that was set aside, with "" all of these. Those it deleted.
std::vector<Lease> release_set_aside(Connection& connection, const std::string& ip);
// None or one.
std::vector<Lease> leases_of(Connection& connection, const std::string& environment_id);
// "lease.taken", "lease.released": about an address, of an environment by name ("" when that is no longer known).
Event lease_event(const Lease& lease, std::string_view what, const std::string& environment, WallTime time);
// In order of address.
Result<std::vector<Lease>> select_leases(Connection& connection);

}  // namespace skerry::sql
