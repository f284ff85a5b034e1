// Network devices by rtnetlink(7): find, list, bring up, give addresses and routes, delete. Each call acts in the
// namespace of its Netlink.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/net.h"
#include "network/netlink.h"

namespace skerry::network {

struct Link {
  int index = 0;
  std::string name;
  std::vector<std::string> alt_names;
  std::string kind;  // "bridge", "veth", "tun", …; empty for hardware and loopback
  int master = 0;    // index of the bridge it is a port of; 0: none
  std::uint32_t flags = 0;
  std::uint32_t mtu = 0;
  MacAddress mac;
};

struct InterfaceAddress {
  int link_index = 0;
  Cidr address;
};

// Finds by name or alternative name; nullopt when there is none.
Result<std::optional<Link>> find_link(Netlink& netlink, const std::string& name);
// All, or only the ports of one bridge (`master` is its index).
Result<std::vector<Link>> list_links(Netlink& netlink, std::optional<int> master = std::nullopt);
Result<std::vector<InterfaceAddress>> list_addresses(Netlink& netlink);

Status set_link_up(Netlink& netlink, const std::string& name);
// Missing is success.
Status delete_link(Netlink& netlink, const std::string& name);
// An alternative name: up to 127 bytes, unique in the namespace, as good as the name for every tool.
Status add_alt_name(Netlink& netlink, int index, const std::string& alt_name);
// Adds the address (and with it the route to its network). Already there is success.
Status add_address(Netlink& netlink, int index, const Cidr& address);
// Not there is success.
Status remove_address(Netlink& netlink, int index, const Cidr& address);
// Replaces the default route of the main table.
Status set_default_route(Netlink& netlink, int index, Ipv4 gateway);

// Puts into a link request: no IPv6 address of its own accord (the bridge drops IPv6; see network/firewall.h).
void put_no_ipv6_address(NetlinkMessage& message);

}  // namespace skerry::network
