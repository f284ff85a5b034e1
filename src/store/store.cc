#include "store/store.h"

#include <fcntl.h>

#include <mutex>

#include "base/crash_point.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "store/connection.h"
#include "store/deployments.h"
#include "store/environments.h"
#include "store/events.h"
#include "store/leases.h"
#include "store/migrations.h"
#include "store/plugins.h"
#include "store/snapshots.h"
#include "store/zones.h"

namespace skerry {
namespace {

using sql::Connection;

class SqliteStore final : public Store {
 public:
  SqliteStore(std::unique_ptr<Connection> writer, std::unique_ptr<Connection> reader)
      : writer_(std::move(writer)), reader_(std::move(reader)) {}

  void on_events(std::function<void(std::uint64_t)> listener) override { listener_ = std::move(listener); }

  Result<Environment> create_environment(Environment environment, const std::optional<Zone>& zone) override {
    environment.ip.clear();
    auto stored = write(cat("create environment ", environment.spec.name), [&](Connection& db) -> Status {
      TRY(sql::insert_environment(db, environment));
      const WallTime now = environment.status.created_at;
      if (zone) environment.ip = TRY(sql::insert_lease(db, *zone, environment.id, now));
      sql::insert_events(db, {environment_event(environment, "created", now)});
      if (zone) {
        const Lease lease{environment.ip, zone->name, environment.id, now};
        sql::insert_events(db, {sql::lease_event(lease, "taken", environment.spec.name, now)});
      }
      return {};
    });
    TRY(std::move(stored));
    return environment;
  }

  Status update_environment(const Environment& environment, const std::vector<Event>& events) override {
    return change(cat("store environment ", environment.spec.name), events,
                  [&](Connection& db) { return sql::update_environment(db, environment); });
  }

  Status delete_environment(const std::string& id, const std::vector<Event>& events) override {
    return write(cat("delete environment ", id), [&](Connection& db) -> Status {
      const auto leases = sql::leases_of(db, id);
      if (!sql::delete_environment(db, id)) return {};
      sql::insert_events(db, events);
      if (events.empty()) return {};
      for (const auto& lease : leases) {
        sql::insert_events(db, {sql::lease_event(lease, "released", events.back().resource, events.back().time)});
      }
      return {};
    });
  }

  Status retire_environment(const std::string& id, const std::vector<Event>& events) override {
    return write(cat("retire environment ", id), [&](Connection& db) -> Status {
      sql::set_lease_aside(db, id);
      if (sql::delete_environment(db, id)) sql::insert_events(db, events);
      return {};
    });
  }
  Status release_address(const std::string& ip, WallTime now) override {
    return write("release an address", [&](Connection& db) -> Status {
      for (const auto& lease : sql::release_set_aside(db, ip)) {
        sql::insert_events(db, {sql::lease_event(lease, "released", "", now)});
      }
      return {};
    });
  }

  Result<std::vector<Environment>> environments() override {
    return read("list environments", [](Connection& db) { return sql::select_environments(db); });
  }
  Result<std::vector<Lease>> leases() override {
    return read("list leases", [](Connection& db) { return sql::select_leases(db); });
  }

  Status append_events(const std::vector<Event>& events) override {
    return change("store events", events, [](Connection&) { return Status(); });
  }
  Result<std::vector<Event>> events(const EventFilter& filter) override {
    return read("list events", [&](Connection& db) { return sql::select_events(db, filter); });
  }
  Result<std::uint64_t> last_event_id() override {
    return read("find the last event", [](Connection& db) -> Result<std::uint64_t> { return sql::last_event_id(db); });
  }
  Status prune_events(std::uint64_t keep) override {
    return write("prune events", [&](Connection& db) -> Status {
      sql::prune_events(db, keep);
      return {};
    });
  }

  Status install_plugin(const Plugin& plugin, const std::vector<Event>& events) override {
    return change(cat("install plugin ", plugin.name), events,
                  [&](Connection& db) { return sql::insert_plugin(db, plugin); });
  }
  Status set_plugin_enabled(const PluginRef& plugin, bool enabled, const std::vector<Event>& events) override {
    return change(cat(enabled ? "enable" : "disable", " plugin ", to_text(plugin)), events,
                  [&](Connection& db) { return sql::update_plugin_enabled(db, plugin, enabled); });
  }
  Status remove_plugin(const PluginRef& plugin, const std::vector<Event>& events, PluginUsers users) override {
    return change(cat("remove plugin ", to_text(plugin)), events,
                  [&](Connection& db) { return sql::delete_plugin(db, plugin, users); });
  }
  Result<std::vector<Plugin>> plugins() override {
    return read("list plugins", [](Connection& db) -> Result<std::vector<Plugin>> { return sql::select_plugins(db); });
  }
  Result<std::optional<Plugin>> find_plugin(const PluginRef& plugin) override {
    return read(cat("find plugin ", to_text(plugin)),
                [&](Connection& db) -> Result<std::optional<Plugin>> { return sql::select_plugin(db, plugin); });
  }

  Status put_deployment(const Deployment& deployment, const std::vector<Event>& events) override {
    return change(cat("store deployment ", deployment.name), events,
                  [&](Connection& db) { return sql::upsert_deployment(db, deployment); });
  }
  Status remove_deployment(const std::string& name, const std::vector<Event>& events) override {
    return change(cat("remove deployment ", name), events,
                  [&](Connection& db) { return sql::delete_deployment(db, name); });
  }
  Result<std::vector<Deployment>> deployments() override {
    return read("list deployments",
                [](Connection& db) -> Result<std::vector<Deployment>> { return sql::select_deployments(db); });
  }

  Status add_zone(const Zone& zone, const std::vector<Event>& events) override {
    return change(cat("store zone ", zone.name), events, [&](Connection& db) { return sql::insert_zone(db, zone); });
  }
  Status remove_zone(const std::string& name, const std::vector<Event>& events) override {
    return change(cat("remove zone ", name), events, [&](Connection& db) { return sql::delete_zone(db, name); });
  }
  Result<std::vector<Zone>> zones() override {
    return read("list zones", [](Connection& db) { return sql::select_zones(db); });
  }
  Result<std::vector<std::string>> zone_users(const std::string& name) override {
    return read(cat("find who uses zone ", name),
                [&](Connection& db) -> Result<std::vector<std::string>> { return sql::select_zone_users(db, name); });
  }

  Status add_snapshot(const Snapshot& snapshot, const std::vector<Event>& events) override {
    return change(cat("store snapshot ", snapshot.name), events,
                  [&](Connection& db) { return sql::insert_snapshot(db, snapshot); });
  }
  Status remove_snapshot(const std::string& name, const std::vector<Event>& events) override {
    return change(cat("remove snapshot ", name), events,
                  [&](Connection& db) { return sql::delete_snapshot(db, name); });
  }
  Result<std::vector<Snapshot>> snapshots() override {
    return read("list snapshots", [](Connection& db) { return sql::select_snapshots(db); });
  }

 private:
  template <typename Work>
  std::invoke_result_t<Work, Connection&> read(std::string_view step, Work work) {
    const std::lock_guard lock(reader_mutex_);
    return reader_->guard(step, [&] { return work(*reader_); });
  }

  // One transaction; tells the listener when it stored events.
  template <typename Work>
  Status write(std::string_view step, Work work) {
    std::uint64_t before = 0;
    std::uint64_t after = 0;
    Status written;
    {
      const std::lock_guard lock(writer_mutex_);
      written = writer_->transaction(step, [&]() -> Status {
        before = sql::last_event_id(*writer_);
        TRY(work(*writer_));
        after = sql::last_event_id(*writer_);
        return {};
      });
    }
    if (written) crash_point(step);
    if (written && after > before) notify(after);
    return written;
  }

  // A change and the events that tell of it.
  template <typename Work>
  Status change(std::string_view step, const std::vector<Event>& events, Work work) {
    return write(step, [&](Connection& db) -> Status {
      TRY(work(db));
      sql::insert_events(db, events);
      return {};
    });
  }

  // Outside the writer's lock, so that the listener may use the store; ids reach it in order.
  void notify(std::uint64_t last_id) {
    const std::lock_guard lock(listener_mutex_);
    if (!listener_ || last_id <= notified_) return;
    notified_ = last_id;
    listener_(last_id);
  }

  std::mutex writer_mutex_;
  std::unique_ptr<Connection> writer_;
  std::mutex reader_mutex_;
  std::unique_ptr<Connection> reader_;
  std::mutex listener_mutex_;
  std::function<void(std::uint64_t)> listener_;
  std::uint64_t notified_ = 0;
};

// WAL: readers do not wait for the writer. NORMAL: a commit survives the end of any process at once, and a power cut
// may take the last commits but never leaves half of one; no environment survives a power cut either.
constexpr const char* kSettings =
    "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 16777216;";

Status configure(Connection& connection) {
  return connection.guard("set up the database", [&]() -> Status {
    {
      sql::Query query = connection.query("PRAGMA journal_mode = WAL");
      if (!query.next() || query.text(0) != "wal") {
        return fail(ErrorCode::kUnsupported, "the database cannot use a write-ahead log",
                    "is the state directory on a local, writable file system?");
      }
    }
    connection.execute(kSettings);
    return {};
  });
}

// Damage is found here, before anything is decided by what the database says.
Status check_integrity(Connection& connection) {
  return connection.guard("check the database", [&]() -> Status {
    sql::Query query = connection.query("PRAGMA quick_check(1)");
    if (query.next() && query.text(0) == "ok") return {};
    return fail(ErrorCode::kCorrupt, cat("the database is damaged: ", query.text(0)), "restore a backup");
  });
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const std::string& path) {
  const std::string step = cat("database ", path);
  // Made here so that nobody else can read it: SQLite gives its other files the mode of this one.
  TRY_IN(step, sys::open(path, O_RDWR | O_CREAT, 0600));
  auto writer = TRY(Connection::open(path, sql::Access::kReadWrite));
  // Before anything is changed in it: it may belong to somebody else, or to a newer Skerry.
  TRY_IN(step, sql::check_compatible(*writer));
  TRY_IN(step, configure(*writer));
  TRY_IN(step, check_integrity(*writer));
  TRY_IN(step, sql::migrate(*writer));
  auto reader = TRY(Connection::open(path, sql::Access::kReadOnly));
  return std::make_unique<SqliteStore>(std::move(writer), std::move(reader));
}

}  // namespace skerry
