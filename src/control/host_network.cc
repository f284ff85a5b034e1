#include "control/host_network.h"

#include <set>

#include "base/file_io.h"
#include "base/log.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "core/net.h"
#include "core/state_machine.h"
#include "network/bridge.h"
#include "network/conntrack.h"
#include "network/firewall.h"
#include "network/host_port.h"
#include "network/link.h"
#include "network/netlink.h"
#include "network/nftables.h"
#include "network/port.h"
#include "network/residue.h"
#include "network/service_addresses.h"

namespace skerry {
namespace {

class HostNetwork final : public Network {
 public:
  HostNetwork(std::string table, const std::string& run_dir, std::unique_ptr<network::Nftables> nftables)
      : table_(std::move(table)),
        made_mark_(cat(run_dir, "/bridge-made")),
        nftables_(std::move(nftables)),
        firewall_(*nftables_),
        addresses_(cat(run_dir, "/service-addresses")) {}

  Status open(const Zone& zone) override {
    pool_ = TRY(AddressPool::of(zone));
    zone_ = zone;
    // The closed firewall stands before the bridge does. Where an earlier daemon's table stands it stays until apply()
    // replaces it: it lets nobody through who was not entitled, and adopted environments keep their connections.
    if (TRY(nftables_->list(table_)).empty()) TRY(load({}, {}));
    auto netlink = TRY(network::Netlink::open());
    const bool ours = !TRY(network::find_link(netlink, zone.bridge)).has_value();
    // The mark first: a bridge without a mark would be left for ever, a mark without a bridge does no harm.
    if (ours) TRY(write_file_atomic(made_mark_, zone.bridge, 0600));
    return network::ensure_bridge({zone.bridge, pool_.gateway});
  }

  Status check_port(const PublishedPort& port) override { return network::check_host_port(port); }

  Status check_service_address(const std::string& address) override {
    return network::check_not_of_host(TRY(Ipv4::parse(address)));
  }

  Status apply(const std::vector<Environment>& environments, const std::vector<ServiceState>& services) override {
    std::set<Ipv4> wanted;
    for (const auto& each : services) wanted.insert(TRY(Ipv4::parse(each.spec.address)));
    // The host has the address only while the rules stand that close all but the service's ports.
    TRY(addresses_.drop_others(zone_.bridge, wanted));
    TRY(load(environments, services));
    TRY(addresses_.hold(zone_.bridge, wanted));
    return let_go_of_the_dead(environments, services);
  }

  Status remove_stale(const std::set<std::string>& live) override { return network::remove_stale(zone_.bridge, live); }

  Status close() override {
    TRY(network::remove_stale(zone_.bridge, {}));  // what the kernel has not yet taken away with its namespace
    TRY(addresses_.drop_others(zone_.bridge, {}));
    TRY(nftables_->remove(table_));
    const auto mark = read_file(made_mark_);
    if (!mark || *mark != zone_.bridge) return {};
    TRY(network::remove_bridge(zone_.bridge));
    return sys::unlink(made_mark_);
  }

 private:
  Status load(const std::vector<Environment>& environments, const std::vector<ServiceState>& services) {
    network::FirewallState state{table_, {}, {}};
    network::BridgeRules rules;
    rules.bridge = zone_.bridge;
    rules.gateway = pool_.gateway;
    rules.egress = zone_.egress;
    for (const auto& environment : environments) {
      if (!environment.ip.empty()) TRY(add(rules, environment));
    }
    state.bridges.push_back(std::move(rules));
    for (const auto& service : services) TRY(add(state, service));
    return firewall_.apply(state);
  }

  static Status add(network::FirewallState& state, const ServiceState& service) {
    const Ipv4 address = TRY(Ipv4::parse(service.spec.address));
    for (const auto& port : service.spec.ports) {
      network::Service out{address, port.host_port, port.protocol, {}};
      for (const auto& replica : service.replicas) {
        out.endpoints.push_back({TRY(Ipv4::parse(replica.ip)), port.guest_port});
      }
      state.services.push_back(std::move(out));
    }
    return {};
  }

  // A replica that has merely left its service may finish what it has begun. One whose run is over answers nobody:
  // clients that wait for it are better off with another one.
  Status let_go_of_the_dead(const std::vector<Environment>& environments, const std::vector<ServiceState>& services) {
    for (const auto& service : services) served_.insert(service.replicas.begin(), service.replicas.end());
    if (served_.empty()) return {};
    std::set<std::string> alive;
    for (const auto& each : environments) {
      const auto state = each.status.state;
      if (is_alive(state) || state == State::kDeleting) alive.insert(each.id);
    }
    std::set<Ipv4> dead;
    for (const auto& each : served_) {
      if (!alive.contains(each.id)) dead.insert(TRY(Ipv4::parse(each.ip)));
    }
    std::erase_if(served_, [&](const auto& each) { return !alive.contains(each.id); });
    // The rules are right already: a kernel that cannot forget only makes those clients wait longer.
    if (auto forgotten = network::forget_connections_to(dead); !forgotten) {
      log::warning("connections to replicas that have ended", {{"error", forgotten.error().message()}});
    }
    return {};
  }

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
  network::ServiceAddresses addresses_;
  std::set<ServiceState::Replica> served_;  // that have been sent connections and are not known to have ended
  Zone zone_;
  AddressPool pool_;
};

}  // namespace

Result<std::unique_ptr<Network>> make_host_network(std::string table, const std::string& run_dir) {
  auto nftables = TRY(network::Nftables::open());
  return std::make_unique<HostNetwork>(std::move(table), run_dir, std::move(nftables));
}

}  // namespace skerry
