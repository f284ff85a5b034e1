#include "store/migrations.h"

#include <array>

#include "base/text.h"

namespace skerry::sql {
namespace {

// Times are nanoseconds since the Unix epoch; the views show them as people write them. `spec`, `manifest`, `config`
// and `data` are JSON (wire/); the columns beside `spec` repeat what queries need of it and are written with it.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE plugins (
  name       TEXT PRIMARY KEY NOT NULL,
  version    TEXT NOT NULL,
  runtime    TEXT NOT NULL,
  manifest   TEXT NOT NULL,
  enabled    INTEGER NOT NULL CHECK (enabled IN (0, 1)),
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE environments (
  seq          INTEGER PRIMARY KEY AUTOINCREMENT,
  id           TEXT NOT NULL UNIQUE,
  name         TEXT NOT NULL UNIQUE,
  isolation    TEXT NOT NULL,
  kind         TEXT NOT NULL,
  zone         TEXT NOT NULL,
  plugin       TEXT REFERENCES plugins (name),
  deployment   TEXT,
  image        TEXT,
  image_digest TEXT,
  cpu_cores    REAL NOT NULL,
  memory_mb    INTEGER NOT NULL,
  spec         TEXT NOT NULL CHECK (json_valid(spec)),
  state        TEXT NOT NULL,
  goal         TEXT NOT NULL,
  health       TEXT NOT NULL,
  pid          INTEGER,
  exit_code    INTEGER,
  reason       TEXT NOT NULL,
  restarts     INTEGER NOT NULL,
  incarnation  INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  started_at   INTEGER,
  finished_at  INTEGER
) STRICT;
CREATE INDEX environments_by_plugin ON environments (plugin) WHERE plugin IS NOT NULL;
CREATE INDEX environments_by_deployment ON environments (deployment) WHERE deployment IS NOT NULL;

-- An address belongs to one environment and goes with it. vm_id NULL: set aside.
CREATE TABLE ip_leases (
  ip        TEXT PRIMARY KEY NOT NULL,
  zone      TEXT NOT NULL,
  vm_id     TEXT UNIQUE REFERENCES environments (id) ON DELETE CASCADE,
  leased_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE deployments (
  name       TEXT PRIMARY KEY NOT NULL,
  plugin     TEXT REFERENCES plugins (name),
  replicas   INTEGER NOT NULL CHECK (replicas >= 0),
  current    INTEGER NOT NULL DEFAULT 0,
  config     TEXT NOT NULL CHECK (json_valid(config)),
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- `current` counts a deployment's environments, whoever writes them.
CREATE TRIGGER current_on_deployment AFTER INSERT ON deployments BEGIN
  UPDATE deployments SET current = (SELECT count(*) FROM environments WHERE deployment = NEW.name)
    WHERE name = NEW.name;
END;
CREATE TRIGGER current_on_insert AFTER INSERT ON environments WHEN NEW.deployment IS NOT NULL BEGIN
  UPDATE deployments SET current = current + 1 WHERE name = NEW.deployment;
END;
CREATE TRIGGER current_on_delete AFTER DELETE ON environments WHEN OLD.deployment IS NOT NULL BEGIN
  UPDATE deployments SET current = current - 1 WHERE name = OLD.deployment;
END;
CREATE TRIGGER current_on_move AFTER UPDATE OF deployment ON environments
WHEN OLD.deployment IS NOT NEW.deployment BEGIN
  UPDATE deployments SET current = current - 1 WHERE name = OLD.deployment;
  UPDATE deployments SET current = current + 1 WHERE name = NEW.deployment;
END;

-- AUTOINCREMENT: an id is never given twice, also after the newest events were deleted.
CREATE TABLE events (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  type        TEXT NOT NULL,
  resource_id TEXT NOT NULL,
  data        TEXT NOT NULL CHECK (json_valid(data)),
  timestamp   INTEGER NOT NULL
) STRICT;
CREATE INDEX events_by_resource ON events (resource_id, id);

-- microVMs and VMs in the shape of the microVM document.
CREATE VIEW vms AS
  SELECT e.name AS id, e.plugin, l.ip, e.state, e.pid, e.cpu_cores, e.memory_mb,
         strftime('%Y-%m-%dT%H:%M:%SZ', e.created_at / 1000000000, 'unixepoch') AS created_at,
         strftime('%Y-%m-%dT%H:%M:%SZ', e.started_at / 1000000000, 'unixepoch') AS started_at
    FROM environments e LEFT JOIN ip_leases l ON l.vm_id = e.id
    WHERE e.isolation IN ('microvm', 'vm');
)sql";

// Updates of deployments that can be rolled back.
constexpr const char* kVersion2 = R"sql(
ALTER TABLE deployments ADD COLUMN max_unavailable INTEGER NOT NULL DEFAULT 1 CHECK (max_unavailable > 0);
ALTER TABLE deployments ADD COLUMN previous_plugin TEXT NOT NULL DEFAULT '';
ALTER TABLE deployments ADD COLUMN previous_config TEXT NOT NULL DEFAULT '';
ALTER TABLE deployments ADD COLUMN rolling INTEGER NOT NULL DEFAULT 0 CHECK (rolling IN (0, 1));
)sql";

// Virtual addresses of deployments. `service_ports`: "80:8080,53:53/udp".
constexpr const char* kVersion3 = R"sql(
ALTER TABLE deployments ADD COLUMN service_address TEXT;
ALTER TABLE deployments ADD COLUMN service_ports TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX deployments_by_service_address ON deployments (service_address)
  WHERE service_address IS NOT NULL;
)sql";

// What lies in a snapshot's directory is the driver's; `spec` says how to run it again.
constexpr const char* kVersion4 = R"sql(
CREATE TABLE snapshots (
  name           TEXT PRIMARY KEY NOT NULL,
  environment    TEXT NOT NULL,
  environment_id TEXT NOT NULL,
  spec           TEXT NOT NULL CHECK (json_valid(spec)),
  image_digest   TEXT NOT NULL,
  with_memory    INTEGER NOT NULL CHECK (with_memory IN (0, 1)),
  size_bytes     INTEGER NOT NULL,
  created_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)sql";

// Versions of a plugin side by side. What refers to a plugin refers to its name, and keeps its name when its versions
// are gone. Renaming the table takes the references of the others with it.
constexpr const char* kVersion5 = R"sql(
ALTER TABLE plugins RENAME TO plugin_names;
CREATE TABLE plugins (
  name       TEXT NOT NULL REFERENCES plugin_names (name),
  version    TEXT NOT NULL,
  runtime    TEXT NOT NULL,
  manifest   TEXT NOT NULL,
  enabled    INTEGER NOT NULL CHECK (enabled IN (0, 1)),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;
INSERT INTO plugins SELECT name, version, runtime, manifest, enabled, created_at FROM plugin_names;
ALTER TABLE plugin_names DROP COLUMN version;
ALTER TABLE plugin_names DROP COLUMN runtime;
ALTER TABLE plugin_names DROP COLUMN manifest;
ALTER TABLE plugin_names DROP COLUMN enabled;
ALTER TABLE plugin_names DROP COLUMN created_at;

-- Whatever there is was made from the one version there was.
ALTER TABLE environments ADD COLUMN plugin_version TEXT;
UPDATE environments SET plugin_version = (SELECT version FROM plugins WHERE name = plugin) WHERE plugin IS NOT NULL;
UPDATE environments SET spec = json_set(spec, '$.plugin_version', plugin_version) WHERE plugin_version IS NOT NULL;
UPDATE snapshots SET spec = json_set(spec, '$.plugin_version',
    (SELECT version FROM plugins WHERE name = json_extract(spec, '$.plugin')))
  WHERE json_extract(spec, '$.plugin') IN (SELECT name FROM plugins);
ALTER TABLE deployments ADD COLUMN plugin_version TEXT NOT NULL DEFAULT '';
ALTER TABLE deployments ADD COLUMN previous_plugin_version TEXT NOT NULL DEFAULT '';
UPDATE deployments SET plugin_version = (SELECT version FROM plugins p WHERE p.name = plugin)
  WHERE plugin IS NOT NULL;
UPDATE deployments SET previous_plugin_version = (SELECT version FROM plugins p WHERE p.name = previous_plugin)
  WHERE previous_plugin IN (SELECT name FROM plugins);
)sql";

// Zones besides the default one, which is the daemon's settings.
constexpr const char* kVersion6 = R"sql(
CREATE TABLE zones (
  name       TEXT PRIMARY KEY NOT NULL,
  colour     TEXT NOT NULL,
  bridge     TEXT NOT NULL UNIQUE,
  subnet     TEXT NOT NULL UNIQUE,
  gateway    TEXT NOT NULL,
  pool_first TEXT NOT NULL,
  pool_last  TEXT NOT NULL,
  dns        TEXT NOT NULL,
  egress     TEXT NOT NULL CHECK (egress IN ('none', 'nat')),
  isolated   INTEGER NOT NULL CHECK (isolated IN (0, 1)),
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)sql";

// A rollback is under way until all replicas are ready, as an update is.
constexpr const char* kVersion7 = R"sql(
ALTER TABLE deployments ADD COLUMN reverting INTEGER NOT NULL DEFAULT 0 CHECK (reverting IN (0, 1));
)sql";

constexpr std::array kMigrations{kVersion1, kVersion2, kVersion3, kVersion4, kVersion5, kVersion6, kVersion7};

std::int64_t pragma(Connection& connection, const char* sql) {
  Query query = connection.query(sql);
  return query.next() ? query.number(0) : 0;
}

// A file without any table is new; one with tables must say that it is ours.
Status check_owner(Connection& connection) {
  if (pragma(connection, "PRAGMA application_id") == kApplicationId) return {};
  if (pragma(connection, "SELECT count(*) FROM sqlite_master") == 0) return {};
  return fail(ErrorCode::kCorrupt, "the file is a database of another program", "choose another --state-dir");
}

Status apply_step(Connection& connection, std::size_t version, const char* sql) {
  return connection.transaction(cat("migrate the database to version ", version), [&]() -> Status {
    connection.execute(sql);
    connection.execute(cat("PRAGMA user_version = ", version));
    connection.execute(cat("PRAGMA application_id = ", kApplicationId));
    return {};
  });
}

}  // namespace

std::span<const char* const> migrations() { return kMigrations; }

Status check_compatible(Connection& connection, std::span<const char* const> steps) {
  return connection.guard("read the database", [&]() -> Status {
    TRY(check_owner(connection));
    const std::int64_t version = pragma(connection, "PRAGMA user_version");
    const auto newest = static_cast<std::int64_t>(steps.size());
    if (version <= newest) return {};
    return fail(ErrorCode::kUnsupported,
                cat("it has schema version ", version, ", this Skerry knows only up to ", newest),
                "it was used by a newer Skerry: install that one, or restore a backup");
  });
}

Status migrate(Connection& connection, std::span<const char* const> steps) {
  TRY(check_compatible(connection, steps));
  return connection.guard("bring the database up to date", [&]() -> Status {
    const std::int64_t version = pragma(connection, "PRAGMA user_version");
    for (auto next = static_cast<std::size_t>(version); next < steps.size(); ++next) {
      TRY(apply_step(connection, next + 1, steps[next]));
    }
    return {};
  });
}

}  // namespace skerry::sql
