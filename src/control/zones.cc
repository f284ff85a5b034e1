#include "control/zones.h"

#include <algorithm>

#include "base/log.h"
#include "base/rollback.h"
#include "base/text.h"
#include "control/network.h"
#include "store/store.h"

namespace skerry {
namespace {

constexpr std::size_t kMostNamed = 5;  // users in an error

Event zone_event(const Zone& zone, std::string_view what, WallTime time) {
  Event event;
  event.type = cat("zone.", what);
  event.resource = zone.name;
  event.time = time;
  event.data = {{"name", zone.name},     {"zone", zone.name},     {"colour", zone.colour},
                {"bridge", zone.bridge}, {"subnet", zone.subnet}, {"egress", std::string(to_text(zone.egress))}};
  return event;
}

Status refuse_used(const std::string& name, const std::vector<std::string>& users) {
  if (users.empty()) return {};
  const auto named = static_cast<std::ptrdiff_t>(std::min(users.size(), kMostNamed));
  std::string list = join({users.begin(), users.begin() + named}, ", ");
  if (users.size() > kMostNamed) list += cat(" and ", users.size() - kMostNamed, " more");
  return fail(ErrorCode::kConflict, cat("zone \"", name, "\" is used by ", list), "remove these first");
}

}  // namespace

Result<std::unique_ptr<Zones>> Zones::create(Zone fallback, Store& store, Network& network, Clock& clock) {
  std::unique_ptr<Zones> made(new Zones(std::move(fallback), store, network, clock));
  TRY(made->open());
  return made;
}

Status Zones::open() {
  for (auto& each : TRY(store_.zones())) zones_.push_back(std::move(each));
  TRY(check_apart(zones_));
  troubles_ = TRY_IN("prepare the network", network_.open(zones_));
  for (const auto& [name, why] : troubles_) {
    log::error("a zone cannot stand: nothing starts in it", {{"zone", name}, {"error", why}});
  }
  return {};
}

std::vector<Zone> Zones::list() const {
  const std::lock_guard lock(mutex_);
  return zones_;
}

Result<Zone> Zones::find(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(zones_, name, &Zone::name);
  if (found != zones_.end()) return *found;
  return fail(ErrorCode::kNotFound, cat("zone \"", name, "\" does not exist"), "see: skerry zones ls");
}

std::string Zones::trouble(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = troubles_.find(name);
  return found == troubles_.end() ? std::string() : found->second;
}

Result<Zone> Zones::add(const ZoneWish& wish) {
  const auto held = hold();
  // Twice: what is wrong with the wish itself is better told than what the host has.
  TRY(plan_zone(wish, list(), {}));
  Zone zone = TRY(plan_zone(wish, list(), TRY(network_.host_networks())));
  zone.created_at = clock_.now();
  TRY_IN(cat("zone \"", zone.name, "\""), network_.add_zone(zone));
  Rollback undo;
  undo.add([&] { static_cast<void>(network_.remove_zone(zone.name)); });
  TRY(store_.add_zone(zone, {zone_event(zone, "created", zone.created_at)}));
  undo.commit();
  const std::lock_guard lock(mutex_);
  zones_.push_back(zone);
  return zone;
}

Status Zones::remove(const std::string& name, const std::function<Status()>& unused) {
  const auto held = hold();
  const Zone zone = TRY(find(name));
  if (zone == list().front()) {
    return fail(ErrorCode::kConflict, cat("zone \"", name, "\" is the daemon's own and stays"));
  }
  TRY(refuse_used(name, TRY(store_.zone_users(name))));
  TRY(unused());
  TRY_IN(cat("zone \"", name, "\""), network_.remove_zone(name));
  Rollback undo;
  undo.add([&] {
    if (auto back = network_.add_zone(zone); !back) {
      log::error("a zone whose removal failed", {{"zone", name}, {"error", back.error().message()}});
    }
  });
  TRY(store_.remove_zone(name, {zone_event(zone, "removed", clock_.now())}));
  undo.commit();
  const std::lock_guard lock(mutex_);
  std::erase_if(zones_, [&](const Zone& each) { return each.name == name; });
  troubles_.erase(name);
  return {};
}

}  // namespace skerry
