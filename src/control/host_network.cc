#include "control/host_network.h"

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "core/net.h"
#include "core/state_machine.h"
#include "network/bridge.h"
#include "network/firewall.h"
#include "network/host_port.h"
#include "network/link.h"
#include "network/netlink.h"
#include "network/nftables.h"
#include "network/port.h"
#include "network/residue.h"

namespace skerry {
namespace {

class HostNetwork final : public Network {
 public:
  HostNetwork(std::string table, std::string made_mark, std::unique_ptr<network::Nftables> nftables)
      : table_(std::move(table)),
        made_mark_(std::move(made_mark)),
        nftables_(std::move(nftables)),
        firewall_(*nftables_) {}

  Status open(const Zone& zone) override {
    pool_ = TRY(AddressPool::of(zone));
    zone_ = zone;
    // The closed firewall stands before the bridge does. Where an earlier daemon's table stands it stays until apply()
    // replaces it: it lets nobody through who was not entitled, and adopted environments keep their connections.
    if (TRY(nftables_->list(table_)).empty()) TRY(apply({}));
    auto netlink = TRY(network::Netlink::open());
    const bool ours = !TRY(network::find_link(netlink, zone.bridge)).has_value();
    // The mark first: a bridge without a mark would be left for ever, a mark without a bridge does no harm.
    if (ours) TRY(write_file_atomic(made_mark_, zone.bridge, 0600));
    return network::ensure_bridge({zone.bridge, pool_.gateway});
  }

  Status check_port(const PublishedPort& port) override { return network::check_host_port(port); }

  Status apply(const std::vector<Environment>& environments) override {
    network::BridgeRules rules;
    rules.bridge = zone_.bridge;
    rules.gateway = pool_.gateway;
    rules.egress = zone_.egress;
    for (const auto& environment : environments) {
      if (!environment.ip.empty()) TRY(add(rules, environment));
    }
    return firewall_.apply({table_, {rules}});
  }

  Status remove_stale(const std::set<std::string>& live) override { return network::remove_stale(zone_.bridge, live); }

  Status close() override {
    TRY(network::remove_stale(zone_.bridge, {}));  // what the kernel has not yet taken away with its namespace
    TRY(nftables_->remove(table_));
    const auto mark = read_file(made_mark_);
    if (!mark || *mark != zone_.bridge) return {};
    TRY(network::remove_bridge(zone_.bridge));
    return sys::unlink(made_mark_);
  }

 private:
  Status add(network::BridgeRules& rules, const Environment& environment) const {
    const Ipv4 ip = TRY(Ipv4::parse(environment.ip));
    rules.ports.push_back({network::port_name(zone_.bridge, environment.id), MacAddress::for_address(ip), ip});
    if (!is_alive(environment.status.state)) return {};
    for (const auto& port : environment.spec.ports) {
      network::Publication publication;
      if (!port.host_ip.empty()) publication.host_ip = TRY(Ipv4::parse(port.host_ip));
      publication.host_port = port.host_port;
      publication.protocol = port.protocol;
      publication.guest = ip;
      publication.guest_port = port.guest_port;
      rules.published.push_back(publication);
    }
    return {};
  }

  const std::string table_;
  const std::string made_mark_;
  const std::unique_ptr<network::Nftables> nftables_;
  network::Firewall firewall_;
  Zone zone_;
  AddressPool pool_;
};

}  // namespace

Result<std::unique_ptr<Network>> make_host_network(std::string table, const std::string& run_dir) {
  auto nftables = TRY(network::Nftables::open());
  return std::make_unique<HostNetwork>(std::move(table), cat(run_dir, "/bridge-made"), std::move(nftables));
}

}  // namespace skerry
