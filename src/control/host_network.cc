#include "control/host_network.h"

#include <algorithm>
#include <mutex>
#include <set>
#include <utility>

#include "base/crash_point.h"
#include "base/log.h"
#include "base/rollback.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "control/launch.h"
#include "control/zone_bridge.h"
#include "core/net.h"
#include "core/state_machine.h"
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
        notes_(cat(run_dir, "/bridges")),
        nftables_(std::move(nftables)),
        firewall_(*nftables_) {}

  Result<std::map<std::string, std::string>> open(const std::vector<Zone>& zones) override {
    const std::lock_guard lock(mutex_);
    std::set<std::string> bridges;
    for (const auto& zone : zones) {
      bridges_.push_back(TRY(ZoneBridge::create(zone, notes_)));
      bridges.insert(zone.bridge);
    }
    TRY(remove_bridges_but(bridges, notes_));
    // The closed firewall stands before the bridges do. Where an earlier daemon's table stands it stays until apply()
    // replaces it: it lets nobody through who was not entitled, and adopted environments keep their connections.
    if (TRY(nftables_->list(table_)).empty()) TRY(load());
    std::map<std::string, std::string> broken;
    for (auto& each : bridges_) {
      auto stands = each.note();
      if (stands) stands = each.stand();
      if (stands) continue;
      if (&each == &bridges_.front()) return fail(std::move(stands).error());
      each.mark_broken();
      broken[each.zone().name] = stands.error().message();
    }
    loaded_ = false;  // some may be broken now
    return broken;
  }

  Result<std::vector<Cidr>> host_networks() override {
    auto netlink = TRY(network::Netlink::open());
    std::vector<Cidr> networks;
    for (const auto& each : TRY(network::list_addresses(netlink))) {
      if (!each.address.address.is_loopback()) networks.push_back(each.address);
    }
    return networks;
  }

  Status add_zone(const Zone& zone) override {
    const std::lock_guard lock(mutex_);
    auto netlink = TRY(network::Netlink::open());
    if (TRY(network::find_link(netlink, zone.bridge))) {
      return fail(ErrorCode::kConflict, cat("a network device named ", zone.bridge, " is there"),
                  "choose another name for the bridge with --bridge");
    }
    auto bridge = TRY(ZoneBridge::create(zone, notes_));
    Rollback undo;
    undo.add([&] { static_cast<void>(forget(zone.name)); });
    bridges_.push_back(std::move(bridge));
    TRY(bridges_.back().note());
    TRY(load_anew());
    crash_point("a new zone's rules stand");
    TRY(bridges_.back().stand());
    undo.commit();
    return {};
  }

  Status remove_zone(const std::string& name) override {
    const std::lock_guard lock(mutex_);
    return forget(name);
  }

  Status check_port(const PublishedPort& port) override { return network::check_host_port(port); }

  Status check_service_address(const std::string& address) override {
    return network::check_not_of_host(TRY(Ipv4::parse(address)));
  }

  Status apply(const EnvironmentViews& environments, const std::vector<ServiceState>& services,
               const NetPolicy& policy) override {
    const std::lock_guard lock(mutex_);
    environments_ = environments;
    services_ = services;
    policy_ = policy;
    const auto wanted = TRY(service_addresses());
    // The host has the addresses only while the rules stand that close all but the services' ports.
    for (std::size_t i = 0; i < bridges_.size(); ++i) {
      TRY(bridges_[i].addresses().drop_others(bridges_[i].zone().bridge, wanted[i]));
    }
    TRY(load());
    for (std::size_t i = 0; i < bridges_.size(); ++i) {
      TRY(bridges_[i].addresses().hold(bridges_[i].zone().bridge, wanted[i]));
    }
    return let_go_of_the_dead(environments, services);
  }

  Status remove_stale(const std::set<std::string>& live) override {
    const std::lock_guard lock(mutex_);
    for (const auto& each : bridges_) TRY(network::remove_stale(each.zone().bridge, live));
    return {};
  }

  Status close() override {
    const std::lock_guard lock(mutex_);
    // One that cannot go keeps the note of it, not the others.
    Status closed;
    const auto note = [&](Status done) {
      if (!done && closed) closed = std::move(done);
    };
    for (auto& each : bridges_) note(each.remove());
    note(nftables_->remove(table_));
    return closed ? sys::remove_tree(notes_) : closed;
  }

 private:
  // What an environment, as it was at a moment, is entitled to.
  struct Entitled {
    EnvironmentView environment;
    std::size_t bridge = 0;  // which of bridges_
    std::vector<network::PinnedPort> ports;
    std::vector<network::Publication> published;
  };

  // Bridge, then rules: what is on a bridge without rules would be let through.
  Status forget(const std::string& name) {
    const auto found = std::ranges::find(bridges_, name, [](const auto& each) { return each.zone().name; });
    if (found == bridges_.end()) return {};
    TRY(found->remove());
    bridges_.erase(found);
    // Rules that stay let nobody through: their bridge is gone. The next change replaces them all.
    if (auto loaded = load_anew(); !loaded) {
      log::warning("the rules of a removed zone stay for now", {{"zone", name}, {"error", loaded.error().message()}});
    }
    return {};
  }

  // By bridge, the addresses of the services in its subnet; one in no zone's subnet is the default zone's.
  Result<std::vector<std::set<Ipv4>>> service_addresses() {
    std::vector<std::set<Ipv4>> out(bridges_.size());
    for (const auto& each : services_) {
      const Ipv4 address = TRY(Ipv4::parse(each.spec.address));
      const auto in =
          std::ranges::find_if(bridges_, [&](const auto& bridge) { return bridge.pool().gateway.contains(address); });
      out[in == bridges_.end() ? 0 : static_cast<std::size_t>(in - bridges_.begin())].insert(address);
    }
    return out;
  }

  // All of it, for other bridges than the last time.
  Status load_anew() {
    entitled_.clear();
    loaded_ = false;
    return load();
  }

  // Loads what has changed since the last time, or the first time all of it. Its cost hardly grows with the number of
  // environments: those whose view is the same are passed over.
  Status load() {
    auto gone = empty_state();
    auto fresh = empty_state();
    // What fails begins anew: then nothing is known of what the kernel has.
    auto now = TRY(follow(std::exchange(entitled_, {}), environments_, gone, fresh));
    for (const auto& service : services_) TRY(add(fresh, service));
    fresh.policy = policy_;
    TRY(std::exchange(loaded_, false) ? firewall_.change(gone, fresh) : load_all(now, std::move(fresh)));
    entitled_ = std::move(now);
    loaded_ = true;
    return {};
  }

  Status load_all(const std::vector<Entitled>& entitled, network::FirewallState whole) {
    for (auto& rules : whole.bridges) {
      rules.ports.clear();
      rules.published.clear();
    }
    for (const auto& each : entitled) {
      auto& rules = whole.bridges[each.bridge];
      rules.ports.insert(rules.ports.end(), each.ports.begin(), each.ports.end());
      rules.published.insert(rules.published.end(), each.published.begin(), each.published.end());
    }
    return firewall_.apply(whole);
  }

  [[nodiscard]] network::FirewallState empty_state() const {
    network::FirewallState state{table_, {}, {}};
    for (const auto& each : bridges_) state.bridges.push_back(each.rules());
    return state;
  }

  // The entitlements of these, and the difference to those of the last list. Lists keep their order, so that one walk
  // along both finds what has come, gone and changed; out of order, one would be taken away and added again.
  Result<std::vector<Entitled>> follow(std::vector<Entitled> last, const EnvironmentViews& environments,
                                       network::FirewallState& gone, network::FirewallState& fresh) const {
    std::vector<Entitled> now;
    now.reserve(environments.size());
    auto before = last.begin();
    for (const auto& environment : environments) {
      while (before != last.end() && before->environment->id != environment->id) leave(gone, *before++, {});
      Entitled known = before == last.end() ? Entitled{} : std::move(*before++);
      // Of one that is starting the answer hangs on the others too.
      const bool stands_alone = environment->status.state != State::kStarting || environment->spec.ports.empty();
      if (stands_alone && known.environment == environment) {
        now.push_back(std::move(known));
        continue;
      }
      now.push_back(TRY(entitle(environment, environments)));
      leave(fresh, now.back(), known);
      leave(gone, known, now.back());
    }
    while (before != last.end()) leave(gone, *before++, {});
    return now;
  }

  // Adds to `rules` what `one` has and `other` has not.
  static void leave(network::FirewallState& state, const Entitled& one, const Entitled& other) {
    auto& rules = state.bridges[one.bridge];
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

  // One that is starting on a port of another is about to be refused (control/launch.h). Until it is, its wish must not
  // keep everybody else from getting their rules.
  static bool is_contested(const Environment& environment, const EnvironmentViews& others) {
    return environment.status.state == State::kStarting && !check_port_conflicts(environment, others);
  }

  Result<Entitled> entitle(const EnvironmentView& environment, const EnvironmentViews& others) const {
    Entitled out{environment, 0, {}, {}};
    const auto in =
        std::ranges::find(bridges_, environment->spec.zone, [](const auto& each) { return each.zone().name; });
    // In no zone that there is nothing is let through.
    if (environment->ip.empty() || in == bridges_.end()) return out;
    out.bridge = static_cast<std::size_t>(in - bridges_.begin());
    const Ipv4 ip = TRY(Ipv4::parse(environment->ip));
    out.ports.push_back({network::port_name(in->zone().bridge, environment->id), MacAddress::for_address(ip), ip});
    if (!is_alive(environment->status.state) || is_contested(*environment, others)) return out;
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
  const std::string notes_;
  const std::unique_ptr<network::Nftables> nftables_;
  network::Firewall firewall_;
  std::mutex mutex_;                        // of all below
  std::vector<ZoneBridge> bridges_;         // of the zones, the default one's first
  EnvironmentViews environments_;           // as they were applied last
  std::vector<ServiceState> services_;      // likewise
  NetPolicy policy_;                        // likewise
  std::vector<Entitled> entitled_;          // as the firewall was loaded last, in the order of the list
  bool loaded_ = false;                     // it was, and the kernel is known to have it
  std::set<ServiceState::Replica> served_;  // that have been sent connections and are not known to have ended
};

}  // namespace

Result<std::unique_ptr<Network>> make_host_network(std::string table, const std::string& run_dir) {
  auto nftables = TRY(network::Nftables::open());
  return std::make_unique<HostNetwork>(std::move(table), run_dir, std::move(nftables));
}

}  // namespace skerry
