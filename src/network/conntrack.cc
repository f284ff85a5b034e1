#include "network/conntrack.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include <string>
#include <vector>

#include "network/netlink.h"

namespace skerry::network {
namespace {

constexpr std::uint16_t type_of(int message) {
  return static_cast<std::uint16_t>((NFNL_SUBSYS_CTNETLINK << 8) | message);
}

void put_family(NetlinkMessage& message) {
  auto& header = message.header<nfgenmsg>();
  header.nfgen_family = AF_INET;
  header.version = NFNETLINK_V0;
}

// The attribute of this type among those that begin at `first` and end at `end`; null: there is none.
const nlattr* find_in(const void* first, const void* end, std::uint16_t type) {
  const auto* at = static_cast<const nlattr*>(first);
  while (mnl_attr_ok(at, static_cast<int>(static_cast<const char*>(end) - reinterpret_cast<const char*>(at)))) {
    if (mnl_attr_get_type(at) == type) return at;
    at = mnl_attr_next(at);
  }
  return nullptr;
}

const nlattr* find_inside(const nlattr* nest, std::uint16_t type) {
  if (nest == nullptr) return nullptr;
  const char* payload = static_cast<const char*>(mnl_attr_get_payload(nest));
  return find_in(payload, payload + mnl_attr_get_payload_len(nest), type);
}

// The tuple a connection is named by, when one of `answering` answers it; otherwise nothing.
std::string tuple_of(const nlmsghdr& message, const std::set<Ipv4>& answering) {
  const void* first = mnl_nlmsg_get_payload_offset(&message, sizeof(nfgenmsg));
  const void* end = mnl_nlmsg_get_payload_tail(&message);
  const auto* reply = find_in(first, end, CTA_TUPLE_REPLY);
  const auto* source = find_inside(find_inside(reply, CTA_TUPLE_IP), CTA_IP_V4_SRC);
  const auto* original = find_in(first, end, CTA_TUPLE_ORIG);
  if (source == nullptr || original == nullptr || mnl_attr_get_payload_len(source) != sizeof(std::uint32_t)) return {};
  if (!answering.contains(Ipv4{ntohl(mnl_attr_get_u32(source))})) return {};
  return {static_cast<const char*>(mnl_attr_get_payload(original)), mnl_attr_get_payload_len(original)};
}

}  // namespace

// The kernel could select and flush by itself only from 6.9 on; a list and single deletions work everywhere.
Status forget_connections_to(const std::set<Ipv4>& answering) {
  if (answering.empty()) return {};
  auto netlink = TRY(Netlink::open(NETLINK_NETFILTER));
  std::vector<std::string> tuples;
  NetlinkMessage list(type_of(IPCTNL_MSG_CT_GET), 0);
  put_family(list);
  TRY(netlink.dump(list, "list tracked connections", [&](const nlmsghdr& message) {
    if (auto tuple = tuple_of(message, answering); !tuple.empty()) tuples.push_back(std::move(tuple));
  }));
  for (const auto& tuple : tuples) {
    NetlinkMessage remove(type_of(IPCTNL_MSG_CT_DELETE), 0);
    put_family(remove);
    remove.put(CTA_TUPLE_ORIG | NLA_F_NESTED, tuple.data(), tuple.size());
    const auto removed = netlink.request(remove, "forget a tracked connection");
    if (!removed && removed.error().sys_errno != ENOENT) return removed;
  }
  return {};
}

}  // namespace skerry::network
