#include "control/host_network.h"

#include <algorithm>
#include <set>
#include <utility>

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

  Status apply(const EnvironmentViews& environments, const std::vector<ServiceState>& services) override {
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
  // What an environment, as it was at a moment, is entitled to.
  struct Entitled {
    EnvironmentView environment;
    std::vector<network::PinnedPort> ports;
    std::vector<network::Publication> published;
  };

  // Loads what has changed since the last time, or the first time all of it. Its cost hardly grows with the number of
  // environments: those whose view is the same are passed over.
  Status load(const EnvironmentViews& environments, const std::vector<ServiceState>& services) {
    auto gone = empty_state();
    auto fresh = empty_state();
    // What fails begins anew: then nothing is known of what the kernel has.
    auto now = TRY(follow(std::exchange(entitled_, {}), environments, gone.bridges[0], fresh.bridges[0]));
    for (const auto& service : services) TRY(add(fresh, service));
    TRY(std::exchange(loaded_, false) ? firewall_.change(gone, fresh) : load_all(now, std::move(fresh)));
    entitled_ = std::move(now);
    loaded_ = true;
    return {};
  }

  Status load_all(const std::vector<Entitled>& entitled, network::FirewallState whole) {
    auto& rules = whole.bridges[0];
    rules.ports.clear();
    rules.published.clear();
    for (const auto& each : entitled) {
      rules.ports.insert(rules.ports.end(), each.ports.begin(), each.ports.end());
      rules.published.insert(rules.published.end(), each.published.begin(), each.published.end());
    }
    return firewall_.apply(whole);
  }

  [[nodiscard]] network::FirewallState empty_state() const {
    network::BridgeRules rules;
    rules.bridge = zone_.bridge;
    rules.gateway = pool_.gateway;
    rules.egress = zone_.egress;
    return {table_, {std::move(rules)}, {}};
  }

  // The entitlements of these, and the difference to those of the last list. Lists keep their order, so that one walk
  // along both finds what has come, gone and changed; out of order, one would be taken away and added again.
  Result<std::vector<Entitled>> follow(std::vector<Entitled> last, const EnvironmentViews& environments,
                                       network::BridgeRules& gone, network::BridgeRules& fresh) const {
    std::vector<Entitled> now;
    now.reserve(environments.size());
    auto before = last.begin();
    for (const auto& environment : environments) {
      while (before != last.end() && before->environment->id != environment->id) leave(gone, *before++, {});
      Entitled known = before == last.end() ? Entitled{} : std::move(*before++);
      if (known.environment == environment) {
        now.push_back(std::move(known));
        continue;
      }
      now.push_back(TRY(entitle(environment)));
      leave(fresh, now.back(), known);
      leave(gone, known, now.back());
    }
    while (before != last.end()) leave(gone, *before++, {});
    return now;
  }

  // Adds to `rules` what `one` has and `other` has not.
  static void leave(network::BridgeRules& rules, const Entitled& one, const Entitled& other) {
    const auto add_missing = [](auto& out, const auto& from, const auto& without) {
      for (const auto& each : from) {
        if (std::ranges::find(without, each) == without.end()) out.push_back(each);
      }
    };
    add_missing(rules.ports, one.ports, other.ports);
    add_missing(rules.published, one.published, other.published);
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
  Status let_go_of_the_dead(const EnvironmentViews& environments, const std::vector<ServiceState>& services) {
    for (const auto& service : services) served_.insert(service.replicas.begin(), service.replicas.end());
    if (served_.empty()) return {};
    std::set<std::string> alive;
    for (const auto& each : environments) {
      const auto state = each->status.state;
      if (is_alive(state) || state == State::kDeleting) alive.insert(each->id);
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

  Result<Entitled> entitle(const EnvironmentView& environment) const {
    Entitled out{environment, {}, {}};
    if (environment->ip.empty()) return out;
    const Ipv4 ip = TRY(Ipv4::parse(environment->ip));
    out.ports.push_back({network::port_name(zone_.bridge, environment->id), MacAddress::for_address(ip), ip});
    if (!is_alive(environment->status.state)) return out;
    for (const auto& port : environment->spec.ports) {
      network::Publication publication;
      if (!port.host_ip.empty()) publication.host_ip = TRY(Ipv4::parse(port.host_ip));
      publication.host_port = port.host_port;
      publication.protocol = port.protocol;
      publication.guest = ip;
      publication.guest_port = port.guest_port;
      out.published.push_back(publication);
    }
    return out;
  }

  const std::string table_;
  const std::string made_mark_;
  const std::unique_ptr<network::Nftables> nftables_;
  network::Firewall firewall_;
  network::ServiceAddresses addresses_;
  std::vector<Entitled> entitled_;          // as the firewall was loaded last, in the order of the list
  bool loaded_ = false;                     // it was, and the kernel is known to have it
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
