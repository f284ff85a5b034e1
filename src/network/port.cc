#include "network/port.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/rollback.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "network/link.h"
#include "network/netns.h"

namespace skerry::network {
namespace {

constexpr std::size_t kBridgePart = 4;
constexpr std::size_t kEnvironmentPart = 9;

// FNV-1a, 64 bits, in five-bit letters. Not a secret and not a checksum: a stable short name.
std::string short_hash(std::string_view text, std::size_t letters) {
  constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3U;
  }
  std::string out;
  for (std::size_t i = 0; i < letters; ++i, hash >>= 5U) out += kAlphabet[hash & 31U];
  return out;
}

Status check_owner(const std::string& environment) {
  const bool ok = !environment.empty() && environment.size() <= 64 && std::ranges::all_of(environment, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
  if (!ok)
    return fail(ErrorCode::kInvalidArgument, cat("network port: \"", environment, "\" is not an environment id"));
  return {};
}

Result<Link> find_bridge(Netlink& netlink, const std::string& name) {
  auto bridge = TRY(find_link(netlink, name));
  if (!bridge) return fail(ErrorCode::kNotFound, cat("bridge ", name, " does not exist"), "run skerry setup");
  if (bridge->kind != "bridge") return fail(ErrorCode::kConflict, cat("network device ", name, " is not a bridge"));
  return *bridge;
}

// One request that makes the pair, names both ends, puts ours on the bridge and the other into its namespace: nothing
// half-made can be left by a kill.
Status create_veth(Netlink& netlink, const PortSpec& spec, const Link& bridge, int netns_fd) {
  const std::string name = port_name(spec.bridge, spec.environment);
  NetlinkMessage message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  message.header<ifinfomsg>();
  message.put_text(IFLA_IFNAME, name);
  message.put_u32(IFLA_MASTER, static_cast<std::uint32_t>(bridge.index));
  message.put_u32(IFLA_MTU, bridge.mtu);
  message.nest(IFLA_LINKINFO, [&] {
    message.put_text(IFLA_INFO_KIND, "veth");
    message.nest(IFLA_INFO_DATA, [&] {
      message.nest(VETH_INFO_PEER, [&] {
        message.header<ifinfomsg>();
        message.put_text(IFLA_IFNAME, "eth0");
        message.put(IFLA_ADDRESS, spec.mac.octets.data(), spec.mac.octets.size());
        message.put_u32(IFLA_MTU, bridge.mtu);
        message.put_u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(netns_fd));
      });
    });
  });
  return netlink.request(message, cat("create veth pair ", name));
}

// Puts a device that was not made there on the bridge. A request of its own: the kernel takes bridge options only for a
// device that already is a port.
Status join_bridge(Netlink& netlink, const Link& bridge, const Link& port) {
  NetlinkMessage message(RTM_NEWLINK, 0);
  message.header<ifinfomsg>().ifi_index = port.index;
  message.put_u32(IFLA_MASTER, static_cast<std::uint32_t>(bridge.index));
  if (port.mtu != bridge.mtu) message.put_u32(IFLA_MTU, bridge.mtu);
  return netlink.request(message, cat("put ", port.name, " on bridge ", bridge.name));
}

// The host's side: bridge options, no IPv6 address, and up only after that.
Status configure_port(Netlink& netlink, const PortSpec& spec, const Link& port) {
  NetlinkMessage message(RTM_NEWLINK, 0);
  auto& info = message.header<ifinfomsg>();
  info.ifi_index = port.index;
  info.ifi_flags = IFF_UP;
  info.ifi_change = IFF_UP;
  message.nest(IFLA_LINKINFO, [&] {
    message.put_text(IFLA_INFO_SLAVE_KIND, "bridge");
    message.nest(IFLA_INFO_SLAVE_DATA, [&] {
      // Hairpin: where br_netfilter is loaded, a guest that calls its own published port is sent back on its own port.
      message.put_u8(IFLA_BRPORT_MODE, 1);
      message.put_u8(IFLA_BRPORT_ISOLATED, spec.neighbours == Neighbours::kHidden ? 1 : 0);
    });
  });
  put_no_ipv6_address(message);
  return netlink.request(message, cat("configure network port ", port.name));
}

// The environment's side of a veth pair.
Status configure_inside(const PortSpec& spec, Netlink& netlink) {
  const auto eth0 = TRY(find_link(netlink, "eth0"));
  if (!eth0) return fail(ErrorCode::kInternal, "eth0 is not in the network namespace it was made in");
  TRY(add_address(netlink, eth0->index, spec.address));
  NetlinkMessage message(RTM_SETLINK, 0);
  auto& info = message.header<ifinfomsg>();
  info.ifi_index = eth0->index;
  info.ifi_flags = IFF_UP;
  info.ifi_change = IFF_UP;
  put_no_ipv6_address(message);
  TRY(netlink.request(message, "bring up eth0"));
  return set_default_route(netlink, eth0->index, spec.gateway);
}

Status finish_port(Netlink& netlink, const PortSpec& spec, const Link& bridge, const std::string& name) {
  const auto port = TRY(find_link(netlink, name));
  if (!port) return fail(ErrorCode::kInternal, cat("network device ", name, " vanished"));
  TRY(add_alt_name(netlink, port->index, port_alt_name(spec.environment)));
  if (port->master != bridge.index) TRY(join_bridge(netlink, bridge, *port));
  return configure_port(netlink, spec, *port);
}

Status try_attach_veth(Netlink& netlink, const PortSpec& spec, NewNetns& netns) {
  const Link bridge = TRY(find_bridge(netlink, spec.bridge));
  const std::string name = port_name(spec.bridge, spec.environment);
  TRY(create_veth(netlink, spec, bridge, netns.netns.get()));
  Rollback rollback;
  rollback.add([&] { static_cast<void>(delete_link(netlink, name)); });
  TRY(finish_port(netlink, spec, bridge, name));
  TRY(configure_inside(spec, netns.inside));
  rollback.commit();
  return {};
}

Result<Fd> open_tap(const std::string& name) {
  Fd tap = TRY(sys::open("/dev/net/tun", O_RDWR | O_NONBLOCK));
  ifreq request{};
  request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL);
  std::memcpy(request.ifr_name, name.c_str(), name.size());
  if (::ioctl(tap.get(), TUNSETIFF, &request) < 0) return fail_errno(cat("create tap device ", name));
  return tap;
}

}  // namespace

std::string port_prefix(const std::string& bridge) { return cat("sk", short_hash(bridge, kBridgePart)); }

std::string port_name(const std::string& bridge, const std::string& environment) {
  return cat(port_prefix(bridge), short_hash(environment, kEnvironmentPart));
}

std::string port_alt_name(const std::string& environment) { return cat("skerry-", environment); }

Status attach_veth(const PortSpec& spec, int netns_fd) {
  Fd copy(::fcntl(netns_fd, F_DUPFD_CLOEXEC, 0));
  if (!copy) return fail_errno("network namespace");
  NewNetns netns{std::move(copy), TRY(Netlink::open_in(netns_fd))};
  return attach_veth(spec, netns);
}

Status attach_veth(const PortSpec& spec, NewNetns& netns) {
  TRY(check_owner(spec.environment));
  const std::string step = cat("attach ", spec.environment, " to ", spec.bridge);
  Netlink netlink = TRY(Netlink::open());
  auto attached = try_attach_veth(netlink, spec, netns);
  if (!attached && attached.error().sys_errno == EEXIST) {
    // Left by a killed attempt, or by a namespace the kernel has not finished destroying.
    TRY_IN(step, delete_link(netlink, port_alt_name(spec.environment)));
    TRY_IN(step, delete_link(netlink, port_name(spec.bridge, spec.environment)));
    attached = try_attach_veth(netlink, spec, netns);
  }
  return annotate(std::move(attached), step);
}

Result<Fd> attach_tap(const PortSpec& spec) {
  TRY(check_owner(spec.environment));
  const std::string step = cat("attach ", spec.environment, " to ", spec.bridge);
  Netlink netlink = TRY(Netlink::open());
  const Link bridge = TRY_IN(step, find_bridge(netlink, spec.bridge));
  const std::string name = port_name(spec.bridge, spec.environment);
  auto opened = open_tap(name);
  if (!opened && opened.error().sys_errno == EBUSY) {
    return fail(ErrorCode::kConflict, cat(step, ": another process holds its tap device ", name),
                "the virtual machine may still be running");
  }
  Fd tap = TRY_IN(step, std::move(opened));
  TRY_IN(step, finish_port(netlink, spec, bridge, name));  // closing the descriptor undoes all of it
  return tap;
}

Status detach_named(const std::string& environment) {
  Netlink netlink = TRY(Netlink::open());
  return delete_link(netlink, port_alt_name(environment));
}

Status detach(const std::string& environment) {
  Netlink netlink = TRY(Netlink::open());
  TRY(delete_link(netlink, port_alt_name(environment)));
  // Killed between making a port and giving it its second name: then only the first one tells whose it is.
  const std::string own_part = short_hash(environment, kEnvironmentPart);
  const auto links = TRY(list_links(netlink));
  for (const auto& link : links) {
    const bool ours = link.name.starts_with("sk") && link.name.ends_with(own_part) &&
                      link.name.size() == port_name("", environment).size();
    if (ours) TRY(delete_link(netlink, link.name));
  }
  return {};
}

}  // namespace skerry::network
