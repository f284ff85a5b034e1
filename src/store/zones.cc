#include "store/zones.h"

#include "base/text.h"

namespace skerry::sql {
namespace {

constexpr char kBetween = ' ';

std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> out;
  for (const auto word : split(text, kBetween)) {
    if (!word.empty()) out.emplace_back(word);
  }
  return out;
}

}  // namespace

Status insert_zone(Connection& connection, const Zone& zone) {
  {
    Query query = connection.query("SELECT 1 FROM zones WHERE name = ?");
    query.bind(zone.name);
    if (query.next()) return fail(ErrorCode::kAlreadyExists, cat("zone \"", zone.name, "\" exists"));
  }
  connection
      .query(
          "INSERT INTO zones (name, colour, bridge, subnet, gateway, pool_first, pool_last, dns, egress, isolated,"
          " created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(zone.name, zone.colour, zone.bridge, zone.subnet, zone.gateway, zone.pool_first, zone.pool_last,
            join(zone.dns, std::string(1, kBetween)), to_text(zone.egress), zone.isolated, zone.created_at)
      .run();
  return {};
}

Status delete_zone(Connection& connection, const std::string& name) {
  if (connection.query("DELETE FROM zones WHERE name = ?").bind(name).run() == 0) {
    return fail(ErrorCode::kNotFound, cat("zone \"", name, "\" does not exist"), "see: skerry zones ls");
  }
  return {};
}

Result<std::vector<Zone>> select_zones(Connection& connection) {
  Query query = connection.query(
      "SELECT name, colour, bridge, subnet, gateway, pool_first, pool_last, dns, egress, isolated, created_at"
      " FROM zones ORDER BY created_at, name");
  std::vector<Zone> zones;
  while (query.next()) {
    Zone zone;
    zone.name = query.text(0);
    zone.colour = query.text(1);
    zone.bridge = query.text(2);
    zone.subnet = query.text(3);
    zone.gateway = query.text(4);
    zone.pool_first = query.text(5);
    zone.pool_last = query.text(6);
    zone.dns = words(query.text(7));
    zone.egress = query.text(8) == to_text(Egress::kNat) ? Egress::kNat : Egress::kNone;
    zone.isolated = query.number(9) != 0;
    zone.created_at = query.time(10);
    zones.push_back(std::move(zone));
  }
  return zones;
}

std::vector<std::string> select_zone_users(Connection& connection, const std::string& name) {
  // A deployment also uses the zone it would go back to.
  Query query = connection.query(
      "SELECT 'environment ' || name FROM environments WHERE zone = ?1 "
      "UNION ALL SELECT 'deployment ' || name FROM deployments WHERE json_extract(config, '$.zone') = ?1 "
      "  OR CASE WHEN json_valid(previous_config) THEN json_extract(previous_config, '$.zone') = ?1 ELSE 0 END "
      "UNION ALL SELECT 'snapshot ' || name FROM snapshots WHERE json_extract(spec, '$.zone') = ?1");
  query.bind(name);
  std::vector<std::string> users;
  while (query.next()) users.push_back(query.text(0));
  return users;
}

}  // namespace skerry::sql
