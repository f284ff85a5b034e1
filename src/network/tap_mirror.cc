#include "network/tap_mirror.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "base/sys_file.h"
#include "base/text.h"
#include "network/link.h"
#include "network/netlink.h"
#include "network/netlink_attributes.h"
#include "network/netns.h"
#include "network/sysctl.h"

namespace skerry::network {
namespace {

constexpr const char* kTap = "skerry-tap";
constexpr std::uint32_t kIngressHandle = TC_H_MAKE(TC_H_INGRESS, 0);

Result<Fd> open_tap() {
  Fd tap = TRY(sys::open("/dev/net/tun", O_RDWR | O_NONBLOCK));
  ifreq request{};
  std::strncpy(request.ifr_name, kTap, IFNAMSIZ - 1);
  request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);
  if (::ioctl(tap.get(), TUNSETIFF, &request) < 0) return fail_errno(cat("create tap device ", kTap));
  return tap;
}

Status add_ingress(Netlink& netlink, int index) {
  NetlinkMessage message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL);
  auto& header = message.header<tcmsg>();
  header.tcm_ifindex = index;
  header.tcm_parent = TC_H_INGRESS;
  header.tcm_handle = kIngressHandle;
  message.put_text(TCA_KIND, "ingress");
  return netlink.request(message, "ingress queue");
}

Status remove_ingress(Netlink& netlink, int index) {
  NetlinkMessage message(RTM_DELQDISC, 0);
  auto& header = message.header<tcmsg>();
  header.tcm_ifindex = index;
  header.tcm_parent = TC_H_INGRESS;
  header.tcm_handle = kIngressHandle;
  auto removed = netlink.request(message, "ingress queue");
  const bool missing = !removed && (removed.error().sys_errno == ENOENT || removed.error().sys_errno == EINVAL);
  if (missing) return {};
  return removed;
}

void put_redirect(NetlinkMessage& message, int to) {
  message.put_text(TCA_ACT_KIND, "mirred");
  message.nest(TCA_ACT_OPTIONS, [&] {
    tc_mirred mirred{};
    mirred.action = TC_ACT_STOLEN;
    mirred.eaction = TCA_EGRESS_REDIR;
    mirred.ifindex = static_cast<std::uint32_t>(to);
    message.put(TCA_MIRRED_PARMS, &mirred, sizeof mirred);
  });
}

// Four bytes of a packet, counted from its network header; what lies before it is the Ethernet header.
tc_u32_key key_of(int offset, std::uint32_t mask, std::uint32_t value) {
  tc_u32_key key{};
  key.off = offset;
  key.mask = htonl(mask);
  key.val = htonl(value);
  return key;
}

struct Filter {
  std::uint32_t priority = 1;
  std::uint16_t protocol = ETH_P_ALL;
  std::vector<tc_u32_key> keys{tc_u32_key{}};  // one that every packet matches: matchall is not in every kernel
  int redirect_to = 0;
};

Status add_filter(Netlink& netlink, int from, const Filter& filter) {
  NetlinkMessage message(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL);
  auto& header = message.header<tcmsg>();
  header.tcm_ifindex = from;
  header.tcm_parent = kIngressHandle;
  header.tcm_info = TC_H_MAKE(filter.priority << 16U, htons(filter.protocol));
  message.put_text(TCA_KIND, "u32");
  message.nest(TCA_OPTIONS, [&] {
    tc_u32_sel selector{};
    selector.flags = TC_U32_TERMINAL;
    selector.nkeys = static_cast<unsigned char>(filter.keys.size());
    std::string all(reinterpret_cast<const char*>(&selector), sizeof selector);
    all.append(reinterpret_cast<const char*>(filter.keys.data()), filter.keys.size() * sizeof(tc_u32_key));
    message.put(TCA_U32_SEL, all.data(), all.size());
    message.nest(TCA_U32_ACT, [&] { message.nest(1, [&] { put_redirect(message, filter.redirect_to); }); });
  });
  return netlink.request(message, "redirect what comes in");
}

// The machine may only say what its interface may: its own MAC address, IPv4 from its own address, ARP about itself.
// Everything else comes to the namespace's own stack, which passes nothing on from there (quiet()).
Status let_out(Netlink& netlink, int tap, const Link& link, Ipv4 address) {
  const auto& mac = link.mac.octets;
  const auto bytes = [&](std::size_t first, std::size_t count) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < count; ++i) value = value << 8U | mac.at(first + i);
    return value;
  };
  const std::uint32_t high = bytes(0, 4);
  const std::uint32_t low = bytes(4, 2);
  const tc_u32_key mac_high = key_of(-8, 0xFFFFFFFF, high);
  const tc_u32_key mac_low = key_of(-4, 0xFFFF0000, low << 16U);

  TRY(add_ingress(netlink, tap));
  // Source address (RFC 791).
  TRY(add_filter(netlink, tap, {1, ETH_P_IP, {mac_high, mac_low, key_of(12, 0xFFFFFFFF, address.value)}, link.index}));
  // Sender's hardware and protocol address, bytes 8 to 17 (RFC 826).
  TRY(add_filter(
      netlink, tap,
      {2,
       ETH_P_ARP,
       {mac_high, mac_low, key_of(8, 0xFFFFFFFF, high), key_of(12, 0xFFFFFFFF, low << 16U | address.value >> 16U),
        key_of(16, 0xFFFF0000, address.value << 16U)},
       link.index}));
  return {};
}

// A namespace has the host's settings for forwarding: not for the tap.
Status quiet() {
  TRY(set_sysctl(cat("ipv4/conf/", kTap, "/forwarding"), "0"));
  const std::string ipv6 = cat("ipv6/conf/", kTap, "/disable_ipv6");
  // Not there: the host has no IPv6.
  return sys::exists(cat("/proc/sys/net/", ipv6)) ? set_sysctl(ipv6, "1") : Status{};
}

Status let_in(Netlink& netlink, int from, int tap) {
  TRY(add_ingress(netlink, from));
  Filter all;
  all.redirect_to = tap;
  return add_filter(netlink, from, all);
}

Result<std::optional<Ipv4>> default_gateway(Netlink& netlink, int index) {
  std::optional<Ipv4> found;
  NetlinkMessage message(RTM_GETROUTE, NLM_F_DUMP);
  message.header<rtmsg>().rtm_family = AF_INET;
  TRY(netlink.dump(message, "list routes", [&](const nlmsghdr& answer) {
    std::optional<Ipv4> gateway;
    int output = 0;
    const auto& route = for_each_of<rtmsg>(answer, [&](const nlattr& attribute) {
      if (mnl_attr_get_type(&attribute) == RTA_OIF) output = static_cast<int>(mnl_attr_get_u32(&attribute));
      if (mnl_attr_get_type(&attribute) == RTA_GATEWAY) gateway = Ipv4{ntohl(mnl_attr_get_u32(&attribute))};
    });
    if (route.rtm_dst_len != 0 || route.rtm_table != RT_TABLE_MAIN || route.rtm_type != RTN_UNICAST) return;
    if (output == index && gateway && !found) found = gateway;
  }));
  return found;
}

struct Chosen {
  Link link;
  Cidr address;
};

Result<std::optional<Chosen>> choose(Netlink& netlink) {
  std::optional<Chosen> chosen;
  const auto addresses = TRY(list_addresses(netlink));
  for (const auto& link : TRY(list_links(netlink))) {
    if ((link.flags & IFF_LOOPBACK) != 0 || link.name == kTap) continue;
    for (const auto& address : addresses) {
      if (address.link_index != link.index) continue;
      if (chosen) {
        return fail(ErrorCode::kUnsupported,
                    cat("the network namespace has more than one address (", chosen->link.name, ", ", link.name, ")"),
                    "a microVM takes over one");
      }
      chosen = Chosen{link, address.address};
    }
  }
  return chosen;
}

}  // namespace

Result<std::optional<MirroredInterface>> mirror_interface(int netns_fd) {
  Netlink netlink = TRY(Netlink::open_in(netns_fd));
  const auto chosen = TRY(choose(netlink));
  if (!chosen) return std::nullopt;
  MirroredInterface out;
  out.name = chosen->link.name;
  out.mac = chosen->link.mac;
  out.address = chosen->address;
  out.gateway = TRY(default_gateway(netlink, chosen->link.index));
  TRY(run_in_netns(netns_fd, [&]() -> Status {
    out.tap = TRY(open_tap());
    return quiet();
  }));
  const auto tap = TRY(find_link(netlink, kTap));
  if (!tap) return fail(ErrorCode::kInternal, "the tap is not where it was made");
  TRY(set_link_up(netlink, kTap));
  TRY(remove_ingress(netlink, chosen->link.index));
  TRY(let_out(netlink, tap->index, chosen->link, chosen->address.address));
  TRY(let_in(netlink, chosen->link.index, tap->index));
  return out;
}

Status unmirror_interface(int netns_fd) {
  Netlink netlink = TRY(Netlink::open_in(netns_fd));
  const auto chosen = TRY(choose(netlink));
  if (!chosen) return {};
  return remove_ingress(netlink, chosen->link.index);
}

}  // namespace skerry::network
