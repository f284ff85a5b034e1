#include "daemon/host_setup.h"

#include "base/text.h"
#include "core/net.h"
#include "network/bridge.h"
#include "network/firewall.h"
#include "network/link.h"
#include "network/netlink.h"
#include "network/nftables.h"

namespace skerry {

Status set_up_network(const DaemonOptions& options) {
  const auto pool = TRY(AddressPool::of(options.zone));
  const auto nftables = TRY(network::Nftables::open());
  const std::string table = network::default_table_name(options.zone.bridge);
  // Closed before the bridge is there. A table that stands may serve environments that run.
  if (TRY(nftables->list(table)).empty()) {
    network::BridgeRules rules;
    rules.bridge = options.zone.bridge;
    rules.gateway = pool.gateway;
    rules.egress = options.zone.egress;
    TRY(nftables->apply(TRY(network::render({table, {rules}, {}}))));
  }
  return network::ensure_bridge({options.zone.bridge, pool.gateway});
}

Status take_down_network(const DaemonOptions& options) {
  auto netlink = TRY(network::Netlink::open());
  const auto& bridge = options.zone.bridge;
  if (const auto link = TRY(network::find_link(netlink, bridge)); link) {
    const auto ports = TRY(network::list_links(netlink, link->index));
    if (!ports.empty()) {
      return fail(ErrorCode::kConflict, cat("bridge ", bridge, " still has the port ", ports.front().name),
                  "remove the environments first");
    }
  }
  TRY(network::remove_bridge(bridge));
  const auto nftables = TRY(network::Nftables::open());
  return nftables->remove(network::default_table_name(bridge));
}

}  // namespace skerry
