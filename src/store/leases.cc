#include "store/leases.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "core/net.h"

namespace skerry::sql {
namespace {

Result<std::set<Ipv4>> leased_addresses(Connection& connection) {
  std::set<Ipv4> leased;
  Query query = connection.query("SELECT ip FROM ip_leases");
  while (query.next()) {
    const auto address = Ipv4::parse(query.text(0));
    if (!address) return fail(ErrorCode::kCorrupt, cat("table ip_leases: ", address.error().message()));
    leased.insert(*address);
  }
  return leased;
}

std::vector<Lease> selected(Query& query) {
  std::vector<Lease> leases;
  while (query.next()) leases.push_back({query.text(0), query.text(1), query.text(2), query.time(3)});
  return leases;
}

}  // namespace

Result<std::string> insert_lease(Connection& connection, const Zone& zone, const std::string& environment_id,
                                 WallTime now) {
  const AddressPool pool = TRY(AddressPool::of(zone));
  const auto leased = TRY(leased_addresses(connection));
  std::string ip = TRY_IN(cat("zone ", zone.name), lowest_free(pool, leased)).text();
  connection.query("INSERT INTO ip_leases (ip, zone, vm_id, leased_at) VALUES (?, ?, ?, ?)")
      .bind(ip, zone.name, environment_id, now)
      .run();
  return ip;
}

void set_lease_aside(Connection& connection, const std::string& environment_id) {
  connection.query("UPDATE ip_leases SET vm_id = NULL WHERE vm_id = ?").bind(environment_id).run();
}

std::vector<Lease> release_set_aside(Connection& connection, const std::string& ip) {
  return selected(connection
                      .query("DELETE FROM ip_leases WHERE vm_id IS NULL AND (ip = ?1 OR ?1 = '')"
                             " RETURNING ip, zone, vm_id, leased_at")
                      .bind(ip));
}

std::vector<Lease> leases_of(Connection& connection, const std::string& environment_id) {
  return selected(
      connection.query("SELECT ip, zone, vm_id, leased_at FROM ip_leases WHERE vm_id = ?").bind(environment_id));
}

Event lease_event(const Lease& lease, std::string_view what, const std::string& environment, WallTime time) {
  Event event{0, cat("lease.", what), lease.ip, {{"ip", lease.ip}, {"zone", lease.zone}}, time};
  if (!environment.empty()) event.data["environment"] = environment;
  return event;
}

Result<std::vector<Lease>> select_leases(Connection& connection) {
  std::vector<std::pair<Ipv4, Lease>> rows;
  Query query = connection.query("SELECT ip, zone, vm_id, leased_at FROM ip_leases");
  while (query.next()) {
    const auto address = Ipv4::parse(query.text(0));
    if (!address) return fail(ErrorCode::kCorrupt, cat("table ip_leases: ", address.error().message()));
    rows.emplace_back(*address, Lease{query.text(0), query.text(1), query.text(2), query.time(3)});
  }
  std::ranges::sort(rows, {}, [](const auto& row) { return row.first; });
  std::vector<Lease> leases;
  leases.reserve(rows.size());
  for (auto& row : rows) leases.push_back(std::move(row.second));
  return leases;
}

}  // namespace skerry::sql
