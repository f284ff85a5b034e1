#include "network/link.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/sys_file.h"
#include "base/text.h"
#include "network/netlink_attributes.h"

namespace skerry::network {
namespace {

std::string text_of(const nlattr& attribute) {
  const auto* bytes = static_cast<const char*>(mnl_attr_get_payload(&attribute));
  return {bytes, ::strnlen(bytes, mnl_attr_get_payload_len(&attribute))};
}

void read_link_attribute(const nlattr& attribute, Link& link) {
  switch (mnl_attr_get_type(&attribute)) {
    case IFLA_IFNAME: link.name = text_of(attribute); break;
    case IFLA_MASTER: link.master = static_cast<int>(mnl_attr_get_u32(&attribute)); break;
    case IFLA_MTU: link.mtu = mnl_attr_get_u32(&attribute); break;
    case IFLA_ADDRESS:
      if (mnl_attr_get_payload_len(&attribute) == link.mac.octets.size()) {
        std::memcpy(link.mac.octets.data(), mnl_attr_get_payload(&attribute), link.mac.octets.size());
      }
      break;
    case IFLA_LINKINFO:
      for_each_child(attribute, [&](const nlattr& info) {
        if (mnl_attr_get_type(&info) == IFLA_INFO_KIND) link.kind = text_of(info);
      });
      break;
    case IFLA_PROP_LIST:
      for_each_child(attribute, [&](const nlattr& property) {
        if (mnl_attr_get_type(&property) == IFLA_ALT_IFNAME) link.alt_names.push_back(text_of(property));
      });
      break;
    default: break;
  }
}

Link read_link(const nlmsghdr& message) {
  Link link;
  const auto& info =
      for_each_of<ifinfomsg>(message, [&](const nlattr& attribute) { read_link_attribute(attribute, link); });
  link.index = info.ifi_index;
  link.flags = info.ifi_flags;
  return link;
}

// IFLA_IFNAME takes names that fit a device name (IFNAMSIZ with its end), IFLA_ALT_IFNAME all others.
void put_name(NetlinkMessage& message, const std::string& name) {
  message.put_text(name.size() < IFNAMSIZ ? IFLA_IFNAME : IFLA_ALT_IFNAME, name);
}

}  // namespace

Result<std::optional<Link>> find_link(Netlink& netlink, const std::string& name) {
  NetlinkMessage message(RTM_GETLINK, 0);
  message.header<ifinfomsg>();
  put_name(message, name);
  std::optional<Link> found;
  const auto status = netlink.converse(message, cat("look up network device ", name),
                                       [&](const nlmsghdr& answer) { found = read_link(answer); });
  if (!status && status.error().sys_errno != ENODEV) return fail(status.error());
  return found;
}

Result<std::vector<Link>> list_links(Netlink& netlink, std::optional<int> master) {
  NetlinkMessage message(RTM_GETLINK, 0);
  message.header<ifinfomsg>();
  if (master) message.put_u32(IFLA_MASTER, static_cast<std::uint32_t>(*master));
  std::vector<Link> links;
  TRY(netlink.dump(message, "list network devices", [&](const nlmsghdr& answer) {
    if (answer.nlmsg_type == RTM_NEWLINK) links.push_back(read_link(answer));
  }));
  // A kernel may ignore the filter.
  if (master) std::erase_if(links, [&](const Link& link) { return link.master != *master; });
  return links;
}

Result<std::vector<InterfaceAddress>> list_addresses(Netlink& netlink) {
  NetlinkMessage message(RTM_GETADDR, 0);
  message.header<ifaddrmsg>().ifa_family = AF_INET;
  std::vector<InterfaceAddress> addresses;
  TRY(netlink.dump(message, "list addresses", [&](const nlmsghdr& answer) {
    if (answer.nlmsg_type != RTM_NEWADDR) return;
    InterfaceAddress address;
    const auto& info = for_each_of<ifaddrmsg>(answer, [&](const nlattr& attribute) {
      // IFA_LOCAL is the interface's own address; IFA_ADDRESS is the peer's on point-to-point links.
      if (mnl_attr_get_type(&attribute) == IFA_LOCAL)
        address.address.address.value = ntohl(mnl_attr_get_u32(&attribute));
    });
    if (info.ifa_family != AF_INET) return;
    address.link_index = static_cast<int>(info.ifa_index);
    address.address.prefix = info.ifa_prefixlen;
    addresses.push_back(address);
  }));
  return addresses;
}

Status set_link_up(Netlink& netlink, const std::string& name) {
  NetlinkMessage message(RTM_SETLINK, 0);
  auto& info = message.header<ifinfomsg>();
  info.ifi_flags = IFF_UP;
  info.ifi_change = IFF_UP;
  put_name(message, name);
  return netlink.request(message, cat("bring up network device ", name));
}

Status delete_link(Netlink& netlink, const std::string& name) {
  NetlinkMessage message(RTM_DELLINK, 0);
  message.header<ifinfomsg>();
  put_name(message, name);
  const auto status = netlink.request(message, cat("delete network device ", name));
  if (!status && status.error().sys_errno != ENODEV) return status;
  return {};
}

Status add_alt_name(Netlink& netlink, int index, const std::string& alt_name) {
  NetlinkMessage message(RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND);
  message.header<ifinfomsg>().ifi_index = index;
  message.nest(IFLA_PROP_LIST, [&] { message.put_text(IFLA_ALT_IFNAME, alt_name); });
  return netlink.request(message, cat("name network device ", alt_name));
}

Status add_address(Netlink& netlink, int index, const Cidr& address) {
  NetlinkMessage message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
  auto& info = message.header<ifaddrmsg>();
  info.ifa_family = AF_INET;
  info.ifa_prefixlen = address.prefix;
  info.ifa_scope = RT_SCOPE_UNIVERSE;
  info.ifa_index = static_cast<std::uint32_t>(index);
  message.put_be32(IFA_LOCAL, address.address.value);
  message.put_be32(IFA_ADDRESS, address.address.value);
  message.put_be32(IFA_BROADCAST, address.broadcast().value);
  const auto status = netlink.request(message, cat("add address ", address.text()));
  if (!status && status.error().sys_errno != EEXIST) return status;
  return {};
}

Status remove_address(Netlink& netlink, int index, const Cidr& address) {
  NetlinkMessage message(RTM_DELADDR, 0);
  auto& info = message.header<ifaddrmsg>();
  info.ifa_family = AF_INET;
  info.ifa_prefixlen = address.prefix;
  info.ifa_index = static_cast<std::uint32_t>(index);
  message.put_be32(IFA_LOCAL, address.address.value);
  message.put_be32(IFA_ADDRESS, address.address.value);
  const auto status = netlink.request(message, cat("remove address ", address.text()));
  if (!status && status.error().sys_errno != EADDRNOTAVAIL && status.error().sys_errno != ENODEV) return status;
  return {};
}

Status set_default_route(Netlink& netlink, int index, Ipv4 gateway) {
  NetlinkMessage message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
  auto& route = message.header<rtmsg>();
  route.rtm_family = AF_INET;
  route.rtm_table = RT_TABLE_MAIN;
  route.rtm_protocol = RTPROT_STATIC;
  route.rtm_scope = RT_SCOPE_UNIVERSE;
  route.rtm_type = RTN_UNICAST;
  message.put_be32(RTA_GATEWAY, gateway.value);
  message.put_u32(RTA_OIF, static_cast<std::uint32_t>(index));
  return netlink.request(message, cat("add default route via ", gateway.text()));
}

// The kernel refuses attributes of a family it does not have. Asked until it is there, which lasts: an answer costs a
// comparison with the same directory of every network namespace.
static bool has_ipv6() {
  static std::atomic<bool> known = false;
  if (!known && sys::exists("/proc/sys/net/ipv6")) known = true;
  return known;
}

void put_no_ipv6_address(NetlinkMessage& message) {
  if (!has_ipv6()) return;
  message.nest(IFLA_AF_SPEC, [&] {
    message.nest(AF_INET6, [&] { message.put_u8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE); });
  });
}

}  // namespace skerry::network
