#include "control/zone_bridge.h"

#include <utility>

#include "base/crash_point.h"
#include "base/file_io.h"
#include "base/log.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "network/bridge.h"
#include "network/link.h"
#include "network/netlink.h"
#include "network/residue.h"

namespace skerry {
namespace {

std::string directory_of(const std::string& notes, const std::string& bridge) { return cat(notes, "/", bridge); }
std::string made_mark(const std::string& directory) { return cat(directory, "/made"); }

Status take_away(const std::string& bridge, const std::string& directory) {
  if (sys::exists(made_mark(directory))) {
    TRY(network::remove_bridge(bridge));
    crash_point("a zone's bridge is gone");
  }
  return sys::remove_tree(directory);
}

}  // namespace

ZoneBridge::ZoneBridge(Zone zone, const AddressPool& pool, const std::string& notes)
    : zone_(std::move(zone)),
      pool_(pool),
      notes_(directory_of(notes, zone_.bridge)),
      addresses_(cat(notes_, "/service-addresses")) {}

Result<ZoneBridge> ZoneBridge::create(const Zone& zone, const std::string& notes) {
  return ZoneBridge(zone, TRY(AddressPool::of(zone)), notes);
}

Status ZoneBridge::note() {
  TRY(sys::mkdir_all(notes_, 0700));
  auto netlink = TRY(network::Netlink::open());
  if (TRY(network::find_link(netlink, zone_.bridge))) return {};
  TRY(write_file_atomic(made_mark(notes_), zone_.bridge, 0600));
  crash_point("a zone's bridge is noted");
  return {};
}

Status ZoneBridge::stand() {
  TRY(network::ensure_bridge({zone_.bridge, pool_.gateway}));
  crash_point("a zone's bridge is there");
  return {};
}

Status ZoneBridge::remove() {
  // What the kernel has not yet taken away with its namespace.
  TRY(network::remove_stale(zone_.bridge, {}));
  TRY(addresses_.drop_others(zone_.bridge, {}));
  return take_away(zone_.bridge, notes_);
}

network::BridgeRules ZoneBridge::rules() const {
  network::BridgeRules rules;
  rules.bridge = zone_.bridge;
  rules.gateway = pool_.gateway;
  rules.egress = broken_ ? Egress::kNone : zone_.egress;
  rules.neighbours = zone_.isolated ? network::Neighbours::kHidden : network::Neighbours::kVisible;
  return rules;
}

Status remove_bridges_but(const std::set<std::string>& kept, const std::string& notes) {
  TRY(sys::mkdir_all(notes, 0700));
  for (const auto& bridge : TRY(sys::list_directory(notes))) {
    if (kept.contains(bridge)) continue;
    log::info("removing the bridge of a zone that is not stored", {{"bridge", bridge}});
    auto gone = network::remove_stale(bridge, {});
    if (gone) gone = take_away(bridge, directory_of(notes, bridge));
    if (!gone) log::warning("a bridge stays", {{"bridge", bridge}, {"error", gone.error().message()}});
  }
  return {};
}

}  // namespace skerry
