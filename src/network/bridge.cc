#include "network/bridge.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>

#include "base/rollback.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "network/link.h"
#include "network/port.h"
#include "network/sysctl.h"

namespace skerry::network {
namespace {

Status check_name(const std::string& name) {
  const bool ok = !name.empty() && name.size() < IFNAMSIZ && name != "." && name != ".." &&
                  std::ranges::all_of(
                      name,
                      [](char c) {
                        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                               c == '_' || c == '.';
                      });
  if (!ok) {
    return fail(ErrorCode::kInvalidArgument, cat("bridge name \"", name, "\""),
                "use 1 to 15 of letters, digits, '-', '_' and '.'");
  }
  return {};
}

// Two ways to one subnet would send the environments' packets to the wrong one.
Status check_overlap(Netlink& netlink, const BridgeSpec& spec, int own_index) {
  for (const auto& other : TRY(list_addresses(netlink))) {
    if (other.link_index == own_index || other.address.address.is_loopback()) continue;
    if (!other.address.overlaps(spec.address)) continue;
    return fail(ErrorCode::kConflict,
                cat("subnet ", spec.address.network_cidr().text(), " overlaps with ", other.address.text(),
                    ", which this host already has"),
                "choose another one with --subnet");
  }
  return {};
}

Status create_bridge(Netlink& netlink, const BridgeSpec& spec) {
  NetlinkMessage message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  message.header<ifinfomsg>();
  message.put_text(IFLA_IFNAME, spec.name);
  // A fixed MAC address: by default a bridge takes the lowest one of its ports and changes it as they come and go.
  const auto mac = MacAddress::for_address(spec.address.address);
  message.put(IFLA_ADDRESS, mac.octets.data(), mac.octets.size());
  message.nest(IFLA_LINKINFO, [&] {
    message.put_text(IFLA_INFO_KIND, "bridge");
    message.nest(IFLA_INFO_DATA, [&] {
      message.put_u32(IFLA_BR_STP_STATE, 0);
      message.put_u32(IFLA_BR_FORWARD_DELAY, 0);
    });
  });
  return netlink.request(message, cat("create bridge ", spec.name));
}

Status bring_up(Netlink& netlink, int index) {
  NetlinkMessage message(RTM_SETLINK, 0);
  auto& info = message.header<ifinfomsg>();
  info.ifi_index = index;
  info.ifi_flags = IFF_UP;
  info.ifi_change = IFF_UP;
  put_no_ipv6_address(message);
  return netlink.request(message, "bring up bridge");
}

Status configure_host(const std::string& bridge) {
  TRY(set_sysctl("ipv4/ip_forward", "1"));
  return set_sysctl(cat("ipv4/conf/", bridge, "/route_localnet"), "1");
}

}  // namespace

Status ensure_bridge(const BridgeSpec& spec) {
  TRY(check_name(spec.name));
  const std::string step = cat("set up bridge ", spec.name);
  Netlink netlink = TRY(Netlink::open());
  auto bridge = TRY_IN(step, find_link(netlink, spec.name));
  if (bridge && bridge->kind != "bridge") {
    return fail(ErrorCode::kConflict, cat(step, ": a network device of that name is there and is not a bridge"),
                "choose another one with --bridge");
  }
  TRY_IN(step, check_overlap(netlink, spec, bridge ? bridge->index : 0));
  Rollback rollback;
  if (!bridge) {
    TRY_IN(step, create_bridge(netlink, spec));
    rollback.add([&] { static_cast<void>(delete_link(netlink, spec.name)); });
    bridge = TRY_IN(step, find_link(netlink, spec.name));
    if (!bridge) return fail(ErrorCode::kInternal, cat(step, ": it vanished"));
  }
  TRY_IN(step, add_address(netlink, bridge->index, spec.address));
  TRY_IN(step, bring_up(netlink, bridge->index));
  TRY_IN(step, configure_host(spec.name));
  rollback.commit();
  return {};
}

Status remove_bridge(const std::string& name) {
  Netlink netlink = TRY(Netlink::open());
  const auto bridge = TRY(find_link(netlink, name));
  if (!bridge) return {};
  if (bridge->kind != "bridge") return fail(ErrorCode::kConflict, cat("network device ", name, " is not a bridge"));
  const std::string prefix = port_prefix(name);
  for (const auto& port : TRY(list_links(netlink, bridge->index))) {
    if (port.name.starts_with(prefix)) continue;
    return fail(ErrorCode::kConflict, cat("bridge ", name, " still has the port ", port.name, ", which is not ours"));
  }
  return delete_link(netlink, name);
}

}  // namespace skerry::network
