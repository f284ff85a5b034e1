#include "store/snapshots.h"

#include "base/text.h"
#include "wire/environment_json.h"

namespace skerry::sql {

Status insert_snapshot(Connection& connection, const Snapshot& snapshot) {
  {
    Query query = connection.query("SELECT 1 FROM snapshots WHERE name = ?");
    query.bind(snapshot.name);
    if (query.next()) {
      return fail(ErrorCode::kAlreadyExists, cat("a snapshot named ", snapshot.name, " exists"),
                  "choose another name or remove that one");
    }
  }
  connection
      .query(
          "INSERT INTO snapshots (name, environment, environment_id, spec, image_digest, with_memory, size_bytes,"
          " created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(snapshot.name, snapshot.environment, snapshot.environment_id, wire::environment_spec_json(snapshot.spec),
            snapshot.image_digest, snapshot.with_memory, snapshot.size_bytes, snapshot.created_at)
      .run();
  return {};
}

Status delete_snapshot(Connection& connection, const std::string& name) {
  if (connection.query("DELETE FROM snapshots WHERE name = ?").bind(name).run() == 0) {
    return fail(ErrorCode::kNotFound, cat("snapshot \"", name, "\" does not exist"), "see: skerry snapshot ls");
  }
  return {};
}

Result<std::vector<Snapshot>> select_snapshots(Connection& connection) {
  Query query = connection.query(
      "SELECT name, environment, environment_id, spec, image_digest, with_memory, size_bytes, created_at"
      " FROM snapshots ORDER BY name");
  std::vector<Snapshot> snapshots;
  while (query.next()) {
    Snapshot snapshot;
    snapshot.name = query.text(0);
    snapshot.environment = query.text(1);
    snapshot.environment_id = query.text(2);
    snapshot.spec = TRY(wire::parse_environment_spec(query.text(3)));
    snapshot.image_digest = query.text(4);
    snapshot.with_memory = query.number(5) != 0;
    snapshot.size_bytes = static_cast<std::uint64_t>(query.number(6));
    snapshot.created_at = query.time(7);
    snapshots.push_back(std::move(snapshot));
  }
  return snapshots;
}

}  // namespace skerry::sql
