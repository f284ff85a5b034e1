#include "network/services.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/text.h"

namespace skerry::network {
namespace {

struct Key {
  Ipv4 address;
  Protocol protocol = Protocol::kTcp;
  std::uint16_t port = 0;
  auto operator<=>(const Key&) const = default;
};

// Endpoints are a set: their order says nothing.
using ServiceMap = std::map<Key, std::set<Endpoint>>;

ServiceMap by_key(const std::vector<Service>& services) {
  ServiceMap out;
  for (const auto& each : services) {
    out[{each.address, each.protocol, each.port}] = {each.endpoints.begin(), each.endpoints.end()};
  }
  return out;
}

std::set<Ipv4> addresses_of(const ServiceMap& services) {
  std::set<Ipv4> out;
  for (const auto& [key, endpoints] : services) out.insert(key.address);
  return out;
}

std::string chain_of(const Key& key) {
  std::string address = key.address.text();
  std::ranges::replace(address, '.', '_');
  return cat("service_", address, '_', to_text(key.protocol), '_', key.port);
}

std::string element_of(const Key& key) {
  return cat(key.address.text(), " . ", to_text(key.protocol), " . ", key.port);
}

// Without endpoints the chain is empty, and the packet goes on to the host's input, which refuses it.
//
// The last rule is for a packet that was already on its way when the rules were exchanged: it still walks the old ones,
// but the elements of their map are gone by then, and it would fall through and be refused.
std::string add_rules(const std::string& table, const Key& key, const std::set<Endpoint>& endpoints) {
  if (endpoints.empty()) return {};
  const auto rule =
      cat("add rule inet ", table, ' ', chain_of(key), " meta l4proto ", to_text(key.protocol), " dnat ip ");
  auto only = cat(rule, "to ", endpoints.begin()->address.text(), ':', endpoints.begin()->port, '\n');
  if (endpoints.size() == 1) return only;
  std::vector<std::string> choices;
  choices.reserve(endpoints.size());
  for (const auto& each : endpoints) {
    choices.push_back(cat(choices.size(), " : ", each.address.text(), " . ", each.port));
  }
  return cat(rule, "addr . port to numgen random mod ", choices.size(), " map { ", join(choices, ", "), " }\n", only);
}

std::string remove_service(const std::string& table, const Key& key) {
  return cat("delete element inet ", table, " services { ", element_of(key), " }\n", "flush chain inet ", table, ' ',
             chain_of(key), '\n', "delete chain inet ", table, ' ', chain_of(key), '\n');
}

// Among the ports that somebody serves, or not.
std::string change_port(const std::string& table, const Key& key, bool was_served, bool is_served) {
  if (was_served == is_served) return {};
  return cat(is_served ? "add" : "delete", " element inet ", table, " service_ports { ", element_of(key), " }\n");
}

std::string add_service(const std::string& table, const Key& key, const std::set<Endpoint>& endpoints) {
  return cat("add chain inet ", table, ' ', chain_of(key), '\n', add_rules(table, key, endpoints), "add element inet ",
             table, " services { ", element_of(key), " : goto ", chain_of(key), " }\n");
}

std::string address_commands(std::string_view verb, const std::string& table, const std::set<Ipv4>& base,
                             const std::set<Ipv4>& other) {
  std::vector<std::string> texts;
  for (const auto& each : base) {
    if (!other.contains(each)) texts.push_back(each.text());
  }
  if (texts.empty()) return {};
  return cat(verb, " element inet ", table, " service_addresses { ", join(texts, ", "), " }\n");
}

// The refusal of a SYN: RFC 9293, 3.10.7.1 – a reset with sequence number 0 and the ACK bit. It is a reply that belongs
// to a connection of a service that was led to an endpoint, whoever the client is.
constexpr std::string_view kRefusal =
    "ct direction reply ct status dnat ct original ip daddr @service_addresses tcp flags & (syn | rst | ack) == rst | "
    "ack "
    "tcp sequence 0 drop";

}  // namespace

Status check_services(const std::vector<Service>& services) {
  std::set<Key> seen;
  for (const auto& each : services) {
    if (seen.insert({each.address, each.protocol, each.port}).second) continue;
    return fail(ErrorCode::kConflict, cat("service port ", each.port, "/", to_text(each.protocol), " of ",
                                          each.address.text(), " is wanted twice"));
  }
  return {};
}

std::vector<std::string_view> service_collections() {
  return {"map services { type ipv4_addr . inet_proto . inet_service : verdict; }",
          "set service_addresses { type ipv4_addr; }",
          "set service_ports { type ipv4_addr . inet_proto . inet_service; }"};
}

std::string_view service_dispatch() { return "ip daddr . meta l4proto . th dport vmap @services"; }

std::vector<std::string_view> service_input_rules() {
  return {kRefusal, "ip daddr @service_addresses ct state new icmp type echo-request accept",
          // It slipped through while the rules were exchanged: its sender shall try again, not give up.
          "ip daddr . meta l4proto . th dport @service_ports ct state new counter drop",
          "ip daddr @service_addresses ct state new meta l4proto tcp reject with tcp reset",
          "ip daddr @service_addresses ct state new reject with icmpx port-unreachable"};
}

std::string_view service_refusal_rule() { return kRefusal; }

std::string service_commands(const std::string& table, const std::vector<Service>& from,
                             const std::vector<Service>& to) {
  const auto before = by_key(from);
  const auto after = by_key(to);
  std::string out = address_commands("delete", table, addresses_of(before), addresses_of(after));
  for (const auto& [key, endpoints] : before) {
    if (after.contains(key)) continue;
    out += remove_service(table, key) + change_port(table, key, !endpoints.empty(), false);
  }
  for (const auto& [key, endpoints] : after) {
    const auto old = before.find(key);
    out += change_port(table, key, old != before.end() && !old->second.empty(), !endpoints.empty());
    if (old == before.end()) {
      out += add_service(table, key, endpoints);
    } else if (old->second != endpoints) {
      out += cat("flush chain inet ", table, ' ', chain_of(key), '\n', add_rules(table, key, endpoints));
    }
  }
  return out + address_commands("add", table, addresses_of(after), addresses_of(before));
}

}  // namespace skerry::network
