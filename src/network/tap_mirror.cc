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

#include <array>
#include <cerrno>
#include <cstring>

#include "base/sys_file.h"
#include "base/text.h"
#include "network/link.h"
#include "network/netlink.h"
#include "network/netlink_attributes.h"
#include "network/netns.h"

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

// u32 with one key that every packet matches: matchall is not in every kernel.
Status redirect(Netlink& netlink, int from, int to) {
  TRY(add_ingress(netlink, from));
  NetlinkMessage message(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL);
  auto& header = message.header<tcmsg>();
  header.tcm_ifindex = from;
  header.tcm_parent = kIngressHandle;
  header.tcm_info = TC_H_MAKE(1U << 16U, htons(ETH_P_ALL));  // priority, protocol
  message.put_text(TCA_KIND, "u32");
  message.nest(TCA_OPTIONS, [&] {
    tc_u32_sel selector{};
    selector.flags = TC_U32_TERMINAL;
    selector.nkeys = 1;
    const tc_u32_key key{};
    std::array<char, sizeof selector + sizeof key> all{};
    std::memcpy(all.data(), &selector, sizeof selector);
    std::memcpy(all.data() + sizeof selector, &key, sizeof key);
    message.put(TCA_U32_SEL, all.data(), all.size());
    message.nest(TCA_U32_ACT, [&] { message.nest(1, [&] { put_redirect(message, to); }); });
  });
  return netlink.request(message, "redirect what comes in");
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
    return {};
  }));
  const auto tap = TRY(find_link(netlink, kTap));
  if (!tap) return fail(ErrorCode::kInternal, "the tap is not where it was made");
  TRY(set_link_up(netlink, kTap));
  TRY(remove_ingress(netlink, chosen->link.index));
  TRY(redirect(netlink, tap->index, chosen->link.index));
  TRY(redirect(netlink, chosen->link.index, tap->index));
  return out;
}

Status unmirror_interface(int netns_fd) {
  Netlink netlink = TRY(Netlink::open_in(netns_fd));
  const auto chosen = TRY(choose(netlink));
  if (!chosen) return {};
  return remove_ingress(netlink, chosen->link.index);
}

}  // namespace skerry::network
