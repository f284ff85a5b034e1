// The firewall as a value: what shall hold on this host's bridges, and its translation into nftables' language.
//
// One table of ours (in the families inet and bridge, which nftables keeps apart) changes in one transaction, so the
// rules always say what one state says, and other people's tables are never touched. Closed by
// default:
//
//   guest → bridge     only IPv4 and ARP, only with the port's own MAC and IP address (no spoofing; no IPv6, no VLAN)
//   guest → guest      same bridge: yes, unless neighbours are hidden; another bridge: what the policy allows
//   (passages.h) guest → host       ping, and the services named in BridgeRules; nothing else guest → outside    with
//   Egress::kNat but for what the policy denies, else what it allows; behind the host's address outside → guest    only
//   published ports (destination NAT), also from the host itself and by 127.0.0.1 anybody → service  its ports lead to
//   one of its endpoints (services.h); every other port of its address is closed
//
// Packets between other interfaces pass untouched.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/net.h"
#include "core/net_policy.h"
#include "core/zone.h"
#include "network/port.h"
#include "network/services.h"

namespace skerry::network {

// A port and the only addresses it may send from.
struct PinnedPort {
  std::string interface;  // port_name()
  MacAddress mac;
  Ipv4 address;
  auto operator<=>(const PinnedPort&) const = default;
};

// host_ip:host_port on the host leads to guest:guest_port.
struct Publication {
  std::optional<Ipv4> host_ip;  // unset: every address of the host
  std::uint16_t host_port = 0;
  Protocol protocol = Protocol::kTcp;
  Ipv4 guest;
  std::uint16_t guest_port = 0;
  auto operator<=>(const Publication&) const = default;
};

// What holds for a bridge whoever is on it.
struct BridgePolicy {
  std::string bridge;
  Cidr gateway;  // the bridge's own address with its subnet's prefix
  Egress egress = Egress::kNat;
  Neighbours neighbours = Neighbours::kVisible;
  // Ports of the host that its environments may reach. UDP 67 also lets DHCP requests (source 0.0.0.0) through.
  std::vector<std::uint16_t> host_tcp;
  std::vector<std::uint16_t> host_udp;
  bool operator==(const BridgePolicy&) const = default;
};

struct BridgeRules : BridgePolicy {
  std::vector<PinnedPort> ports;
  std::vector<Publication> published;
};

struct FirewallState {
  std::string table = "skerry";  // one for each daemon on a host
  std::vector<BridgeRules> bridges;
  std::vector<Service> services;
  NetPolicy policy = {};
};

// Commands for libnftables that replace the table; the same state always gives the same text.
struct Ruleset {
  std::string table;
  std::string commands;
};

// Pure. kInvalidArgument for names nftables could misread; kConflict when two publications ask for the same port of
// the same host address, naming both guests.
Result<Ruleset> render(const FirewallState& state);

// The commands that turn the table of `from` into the one of `to`, also in one transaction. Where only ports,
// publications, services and policy differ they touch only those, so that the cost of one environment does not grow
// with the number of others; otherwise it is render(to). Empty commands: nothing to do. The same errors as render().
Result<Ruleset> render_change(const FirewallState& from, const FirewallState& to);

// The same where the difference is known already. Of the same frame: `gone` and `fresh` hold the ports and publications
// that `to` has less and more than `from`. Its cost does not grow with what stays, but for a look at all publications
// when there are new ones.
Result<Ruleset> render_change(const FirewallState& from, const FirewallState& to, const FirewallState& gone,
                              const FirewallState& fresh);

// `from` with what is in `gone` taken away and what is in `fresh` added, services and policy those of `fresh`.
FirewallState changed(FirewallState from, const FirewallState& gone, const FirewallState& fresh);

// "skerry-vbr0": what a daemon on this bridge calls its table when nobody says otherwise.
std::string default_table_name(const std::string& bridge);

}  // namespace skerry::network
