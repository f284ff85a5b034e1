// Store: the durable state of the control plane, in one SQLite database (WAL, STRICT tables).
//
// Every change and the events that tell of it are one transaction: no event is lost or invented, and event ids only
// grow. All calls are thread-safe and block; there is one writer connection behind a mutex and a reader connection
// beside it, so that lists and replays do not wait for writes.
//
// Errors: kAlreadyExists, kNotFound, kResourceExhausted (no free address; disk full), kCorrupt (not our database, or
// damaged), kUnsupported (written by a newer Skerry), kPermissionDenied (read-only), kIo.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/environment.h"
#include "core/event.h"
#include "core/plugin.h"
#include "core/plugin_version.h"
#include "core/snapshot.h"
#include "core/zone.h"

namespace skerry {

struct Lease {
  std::string ip;
  std::string zone;
  std::string environment_id;  // empty: set aside
  WallTime leased_at;
  bool operator==(const Lease&) const = default;
};

struct EventFilter {
  std::uint64_t after_id = 0;
  std::size_t limit = 1000;
  std::string type;      // exact ("vm.created") or a noun with a dot ("vm."); empty: any
  std::string resource;  // empty: any
  // Of those that pass: the first, or the last ones below `before_id`. Told in order of id either way.
  enum class Take : std::uint8_t { kFirst, kLast } take = Take::kFirst;
  std::uint64_t before_id = UINT64_MAX;
};

class Store {
 public:
  // Opens or creates the database file and brings its schema up to date.
  static Result<std::unique_ptr<Store>> open(const std::string& path);
  virtual ~Store() = default;

  // Called after every commit that stored events, with the newest id. At most one listener, set before use.
  virtual void on_events(std::function<void(std::uint64_t last_id)> listener) = 0;

  // ── environments ──
  // Inserts it. With a zone it also leases the lowest free address of the zone's pool (written to `ip` of the answer)
  // in the same transaction. Stores the event "<noun>.created" with it, and of a lease "lease.taken".
  virtual Result<Environment> create_environment(Environment environment, const std::optional<Zone>& zone) = 0;
  // Replaces specification and status of the one with this id. kNotFound when it is gone.
  virtual Status update_environment(const Environment& environment, const std::vector<Event>& events) = 0;
  // Deletes it and releases its lease; with events "lease.released" too, behind them and at the time of the last one.
  // Not there is success (without events).
  virtual Status delete_environment(const std::string& id, const std::vector<Event>& events) = 0;
  // The same, but its address is set aside instead of released: something of it is still on the host.
  virtual Status retire_environment(const std::string& id, const std::vector<Event>& events) = 0;
  // An address that was set aside may be leased again ("lease.released"); "" for all of them.
  virtual Status release_address(const std::string& ip, WallTime now) = 0;
  virtual Result<std::vector<Environment>> environments() = 0;  // in order of creation
  virtual Result<std::vector<Lease>> leases() = 0;

  // ── events ──
  virtual Status append_events(const std::vector<Event>& events) = 0;
  virtual Result<std::vector<Event>> events(const EventFilter& filter) = 0;  // in order of id
  virtual Result<std::uint64_t> last_event_id() = 0;
  // Retention: deletes the oldest events beyond `keep`. Their ids are never given again.
  virtual Status prune_events(std::uint64_t keep) = 0;

  // ── plugins ── versions of a name side by side; installing one that is there is kAlreadyExists. A reference without
  // a version means all of them; for find_plugin the default: the newest enabled one, else the newest.
  virtual Status install_plugin(const Plugin& plugin, const std::vector<Event>& events) = 0;
  virtual Status set_plugin_enabled(const PluginRef& plugin, bool enabled, const std::vector<Event>& events) = 0;
  // With kRefuse kConflict while an environment or a deployment is made of it; else they remember what they are made
  // of.
  virtual Status remove_plugin(const PluginRef& plugin, const std::vector<Event>& events,
                               PluginUsers users = PluginUsers::kRefuse) = 0;
  virtual Result<std::vector<Plugin>> plugins() = 0;  // by name, the newest first
  virtual Result<std::optional<Plugin>> find_plugin(const PluginRef& plugin) = 0;

  // ── deployments ── kNotFound: its plugin is not installed, and was not its plugin before
  virtual Status put_deployment(const Deployment& deployment,
                                const std::vector<Event>& events) = 0;  // insert or replace
  virtual Status remove_deployment(const std::string& name, const std::vector<Event>& events) = 0;
  virtual Result<std::vector<Deployment>> deployments() = 0;

  // ── zones ── all but the default one, which is the daemon's settings. kAlreadyExists, kNotFound
  virtual Status add_zone(const Zone& zone, const std::vector<Event>& events) = 0;
  virtual Status remove_zone(const std::string& name, const std::vector<Event>& events) = 0;
  virtual Result<std::vector<Zone>> zones() = 0;  // in order of creation
  // What names it: "environment web", "deployment shop", "snapshot before".
  virtual Result<std::vector<std::string>> zone_users(const std::string& name) = 0;

  // ── snapshots ── kAlreadyExists, kNotFound
  virtual Status add_snapshot(const Snapshot& snapshot, const std::vector<Event>& events) = 0;
  virtual Status remove_snapshot(const std::string& name, const std::vector<Event>& events) = 0;
  virtual Result<std::vector<Snapshot>> snapshots() = 0;  // by name
};

}  // namespace skerry
