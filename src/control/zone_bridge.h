// ZoneBridge: a zone's bridge on the host, and the note in the run directory that it is of our making. The note is
// written before the bridge is made: a daemon that is killed leaves no bridge that nobody would take away.
//
//   <notes>/<bridge>/made               we made it; without it the bridge was there, and stays
//   <notes>/<bridge>/service-addresses  which of its addresses are services' (network/service_addresses.h)
//
// Not thread-safe.
#pragma once

#include <set>
#include <string>

#include "base/result.h"
#include "core/net.h"
#include "core/zone.h"
#include "network/firewall.h"
#include "network/service_addresses.h"

namespace skerry {

class ZoneBridge {
 public:
  // Only reads the zone's texts. `notes`: the directory of the notes of all bridges.
  static Result<ZoneBridge> create(const Zone& zone, const std::string& notes);

  // Notes that the bridge will be ours, unless it is there already.
  Status note();
  // Makes or adopts it.
  Status stand();
  // Takes away what is ours of it: ports, services' addresses and, when we made it, the bridge and then the note.
  // kConflict, with the bridge as it was, while ports that are not ours are on one of our making.
  Status remove();

  // What holds on it, with nobody on it.
  [[nodiscard]] network::BridgeRules rules() const;

  [[nodiscard]] const Zone& zone() const { return zone_; }
  [[nodiscard]] const AddressPool& pool() const { return pool_; }
  network::ServiceAddresses& addresses() { return addresses_; }
  // It cannot stand: its rules hold, but give no egress.
  void mark_broken() { broken_ = true; }

 private:
  ZoneBridge(Zone zone, const AddressPool& pool, const std::string& notes);

  Zone zone_;
  AddressPool pool_;
  std::string notes_;
  network::ServiceAddresses addresses_;
  bool broken_ = false;
};

// Removes the bridges of our making that are not in `kept`, as a killed daemon may have left them. What cannot go is
// told in the log and tried again the next time.
Status remove_bridges_but(const std::set<std::string>& kept, const std::string& notes);

}  // namespace skerry
