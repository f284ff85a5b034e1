// Zones: which zones there are. The default one is the daemon's settings, the others are stored; each has its bridge
// and rules on the host.
//
//   create:  rules → bridge → stored with its event     killed in between: what stands on the host goes at the next
//   start remove:  bridge → rules → unstored with its event   killed in between: it stands again at the next start
//
// Thread-safe; a change blocks while the kernel works.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "core/zone.h"
#include "core/zone_plan.h"

namespace skerry {

class Network;
class Store;

class Zones {
 public:
  // Opens the network for the default zone and all stored ones: from here on it is closed. kConflict when the default
  // one is in the way of another; one that cannot stand for the host's reasons is told in the log and by trouble().
  // Everything outlives it.
  static Result<std::unique_ptr<Zones>> create(Zone fallback, Store& store, Network& network, Clock& clock);

  [[nodiscard]] std::vector<Zone> list() const;                    // the default one first, then in order of creation
  [[nodiscard]] Result<Zone> find(const std::string& name) const;  // kNotFound
  [[nodiscard]] bool exists(const std::string& name) const { return find(name).has_value(); }
  // Why nothing can start in it, since this daemon started; empty: it can.
  [[nodiscard]] std::string trouble(const std::string& name) const;

  // plan_zone()'s errors, and those of the host. Event "zone.created".
  Result<Zone> add(const ZoneWish& wish);
  // kConflict names what uses it; `unused` is asked too (tokens are not the store's). Event "zone.removed".
  Status remove(const std::string& name, const std::function<Status()>& unused);

  // While this is held no zone comes or goes: for whoever makes something that names one, from looking it up to
  // storing.
  [[nodiscard]] std::unique_lock<std::mutex> hold() { return std::unique_lock(change_mutex_); }

 private:
  Zones(Zone fallback, Store& store, Network& network, Clock& clock)
      : store_(store), network_(network), clock_(clock), zones_{std::move(fallback)} {}
  Status open();

  Store& store_;
  Network& network_;
  Clock& clock_;
  std::mutex change_mutex_;
  mutable std::mutex mutex_;  // of the rest; never held while the kernel works
  std::vector<Zone> zones_;
  std::map<std::string, std::string> troubles_;
};

}  // namespace skerry
