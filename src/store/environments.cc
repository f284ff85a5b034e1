#include "store/environments.h"

#include <optional>

#include "base/text.h"
#include "store/plugins.h"
#include "wire/environment_json.h"

namespace skerry::sql {
namespace {

std::optional<std::int64_t> null_if_zero(std::int64_t value) {
  return value == 0 ? std::nullopt : std::optional(value);
}

// Everything but the id and the time of creation, in the order of both statements below.
void bind_changing(Query& query, const Environment& environment) {
  const auto& spec = environment.spec;
  const auto& status = environment.status;
  query.bind(spec.name, to_text(spec.isolation), to_text(spec.kind), spec.zone, null_if_empty(spec.plugin),
             null_if_empty(spec.plugin_version), null_if_empty(spec.deployment), null_if_empty(spec.image),
             null_if_empty(environment.image_digest), static_cast<double>(spec.resources.cpu_milli) / kMilliPerCore,
             spec.resources.memory_mib, wire::environment_spec_json(spec));
  query.bind(to_text(status.state), to_text(status.goal), to_text(status.health), null_if_zero(status.pid),
             status.exit_code, status.reason, status.restarts, status.incarnation, null_if_zero(status.started_at.ns),
             null_if_zero(status.finished_at.ns));
}

// Said before SQLite says it, so that the message names what is wrong.
Status check_name(Connection& connection, const Environment& environment) {
  Query query = connection.query("SELECT 1 FROM environments WHERE name = ? AND id <> ?");
  query.bind(environment.spec.name, environment.id);
  if (!query.next()) return {};
  return fail(ErrorCode::kAlreadyExists, cat("an environment named ", environment.spec.name, " exists"),
              "choose another name or delete that one");
}

Status check_plugin(Connection& connection, const EnvironmentSpec& spec) {
  if (spec.plugin.empty()) return {};
  const PluginRef plugin{spec.plugin, spec.plugin_version};
  if (!select_plugin(connection, plugin)) {
    return fail(ErrorCode::kNotFound, cat("plugin ", to_text(plugin), " is not installed"));
  }
  return {};
}

Result<EnvironmentStatus> read_status(const Query& row, int first) {
  EnvironmentStatus status;
  status.state = TRY(parse_state(row.text(first)));
  status.goal = TRY(parse_goal(row.text(first + 1)));
  status.health = TRY(parse_health(row.text(first + 2)));
  status.pid = row.number(first + 3);
  if (!row.is_null(first + 4)) status.exit_code = static_cast<int>(row.number(first + 4));
  status.reason = row.text(first + 5);
  status.restarts = static_cast<std::uint32_t>(row.number(first + 6));
  status.incarnation = static_cast<std::uint64_t>(row.number(first + 7));
  status.created_at = row.time(first + 8);
  status.started_at = row.time(first + 9);
  status.finished_at = row.time(first + 10);
  return status;
}

Result<Environment> read_environment(const Query& row) {
  Environment environment;
  environment.id = row.text(0);
  environment.spec = TRY(wire::parse_environment_spec(row.text(1)));
  environment.image_digest = row.text(2);
  environment.ip = row.text(3);
  environment.status = TRY(read_status(row, 4));
  return environment;
}

}  // namespace

Status insert_environment(Connection& connection, const Environment& environment) {
  TRY(check_name(connection, environment));
  TRY(check_plugin(connection, environment.spec));
  Query query = connection.query(
      "INSERT INTO environments (name, isolation, kind, zone, plugin, plugin_version, deployment, image, image_digest, "
      "cpu_cores,"
      " memory_mb, spec, state, goal, health, pid, exit_code, reason, restarts, incarnation, started_at, finished_at,"
      " id, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  bind_changing(query, environment);
  query.bind(environment.id, environment.status.created_at).run();
  return {};
}

Status update_environment(Connection& connection, const Environment& environment) {
  TRY(check_name(connection, environment));
  Query query = connection.query(
      "UPDATE environments SET name = ?, isolation = ?, kind = ?, zone = ?,"
      " plugin = ?, plugin_version = ?, deployment = ?, image = ?,"
      " image_digest = ?, cpu_cores = ?, memory_mb = ?, spec = ?, state = ?, goal = ?, health = ?, pid = ?,"
      " exit_code = ?, reason = ?, restarts = ?, incarnation = ?, started_at = ?, finished_at = ? WHERE id = ?");
  bind_changing(query, environment);
  if (query.bind(environment.id).run() == 0) {
    return fail(ErrorCode::kNotFound, cat("environment ", environment.spec.name, " does not exist any more"));
  }
  return {};
}

bool delete_environment(Connection& connection, const std::string& id) {
  return connection.query("DELETE FROM environments WHERE id = ?").bind(id).run() > 0;
}

Result<std::vector<Environment>> select_environments(Connection& connection) {
  Query query = connection.query(
      "SELECT e.id, e.spec, e.image_digest, l.ip, e.state, e.goal, e.health, e.pid, e.exit_code, e.reason, e.restarts,"
      " e.incarnation, e.created_at, e.started_at, e.finished_at"
      " FROM environments e LEFT JOIN ip_leases l ON l.vm_id = e.id ORDER BY e.seq");
  std::vector<Environment> environments;
  while (query.next()) {
    auto environment = read_environment(query);
    if (!environment) {
      return fail(ErrorCode::kCorrupt,
                  cat("table environments, id ", query.text(0), ": ", environment.error().message()));
    }
    environments.push_back(std::move(*environment));
  }
  return environments;
}

}  // namespace skerry::sql
