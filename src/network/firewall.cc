#include "network/firewall.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <tuple>

#include "base/text.h"
#include "network/passages.h"

namespace skerry::network {
namespace {

bool is_plain_name(const std::string& name, std::size_t limit) {
  return !name.empty() && name.size() <= limit && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

Status check_names(const FirewallState& state) {
  const auto wrong = [](std::string_view what, const std::string& name) {
    return fail(ErrorCode::kInvalidArgument, cat("firewall: ", what, " \"", name, "\" is not a plain name"));
  };
  const bool letter_first = !state.table.empty() && ((state.table[0] | 32) >= 'a' && (state.table[0] | 32) <= 'z');
  if (!letter_first || !is_plain_name(state.table, 64) || state.table.find('.') != std::string::npos) {
    return wrong("table", state.table);
  }
  std::set<std::string> seen;
  for (const auto& rules : state.bridges) {
    if (!is_plain_name(rules.bridge, 15)) return wrong("bridge", rules.bridge);
    if (!seen.insert(rules.bridge).second) {
      return fail(ErrorCode::kInvalidArgument, cat("firewall: bridge ", rules.bridge, " is listed twice"));
    }
    for (const auto& port : rules.ports) {
      if (!is_plain_name(port.interface, 15)) return wrong("port", port.interface);
    }
  }
  return {};
}

// As sockets do: one owner for a port, and an owner of every address excludes all others.
Status check_publications(const std::vector<Publication>& sorted) {
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    const auto& b = sorted[i];
    for (std::size_t before = i; before > 0; --before) {
      const auto& a = sorted[before - 1];
      if (a.host_port != b.host_port) break;
      if (a.protocol != b.protocol || (a.host_ip && b.host_ip && *a.host_ip != *b.host_ip)) continue;
      return fail(ErrorCode::kConflict,
                  cat("host port ", b.host_port, "/", to_text(b.protocol), " is wanted by ", a.guest.text(), " and ",
                      b.guest.text()),
                  "publish one of them on another port");
    }
  }
  return {};
}

std::vector<Publication> all_publications(const FirewallState& state) {
  std::vector<Publication> all;
  for (const auto& rules : state.bridges) all.insert(all.end(), rules.published.begin(), rules.published.end());
  std::ranges::sort(all, [](const Publication& a, const Publication& b) {
    return std::tie(a.host_port, a.protocol, a.host_ip, a.guest) <
           std::tie(b.host_port, b.protocol, b.host_ip, b.guest);
  });
  return all;
}

// Text of the table, built line by line.
class Writer {
 public:
  void open(const std::string& head) {
    line(cat(head, " {"));
    indent_ += 2;
  }
  void close() {
    indent_ -= 2;
    line("}");
  }
  void line(std::string_view text) {
    out_.append(indent_, ' ');
    out_ += text;
    out_ += '\n';
  }
  void base_chain(const std::string& name, std::string_view hook) {
    open(cat("chain ", name));
    line(cat("type ", hook, "; policy accept;"));
  }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  std::string out_;
  std::size_t indent_ = 0;
};

std::string quoted(const std::string& name) { return cat('"', name, '"'); }

std::string port_list(std::vector<std::uint16_t> ports) {
  std::ranges::sort(ports);
  std::vector<std::string> texts;
  for (const auto port : ports) {
    if (texts.empty() || texts.back() != cat(port)) texts.push_back(cat(port));
  }
  return cat("{ ", join(texts, ", "), " }");
}

bool serves_dhcp(const BridgeRules& rules) { return std::ranges::count(rules.host_udp, 67) > 0; }

// A named set or map and what is in it: all of the state that changes as environments come and go.
struct Collection {
  std::string_view family;
  std::string_view kind;  // "set" or "map"
  std::string name;
  std::string_view type;
  std::vector<std::string> keys;
  std::vector<std::string> values;  // of a map: parallel to keys

  // As nftables writes them: keys, with their values where it is a map.
  [[nodiscard]] std::vector<std::string> elements() const {
    std::vector<std::string> out = keys;
    for (std::size_t i = 0; i < values.size(); ++i) out[i] += cat(" : ", values[i]);
    return out;
  }
};

struct Collections {
  Collection bridges{"inet", "set", "bridges", "ifname", {}, {}};
  Collection members{"inet", "set", "members", "ifname . ipv4_addr", {}, {}};
  Collection tcp{"inet", "map", "publish_tcp", "inet_service : ipv4_addr . inet_service", {}, {}};
  Collection tcp_on{"inet", "map", "publish_tcp_on", "ipv4_addr . inet_service : ipv4_addr . inet_service", {}, {}};
  Collection udp{"inet", "map", "publish_udp", "inet_service : ipv4_addr . inet_service", {}, {}};
  Collection udp_on{"inet", "map", "publish_udp_on", "ipv4_addr . inet_service : ipv4_addr . inet_service", {}, {}};
  Collection pins{"bridge", "set", "pins", "ifname . ether_addr . ipv4_addr", {}, {}};
  Collection dhcp_clients{"bridge", "set", "dhcp_clients", "ifname . ether_addr", {}, {}};

  [[nodiscard]] std::array<const Collection*, 8> all() const {
    return {&bridges, &members, &tcp, &tcp_on, &udp, &udp_on, &pins, &dhcp_clients};
  }
};

void collect_ports(Collections& out, const BridgeRules& rules) {
  auto ports = rules.ports;
  std::ranges::sort(ports, {}, &PinnedPort::address);
  for (const auto& port : ports) {
    const std::string who = cat(quoted(port.interface), " . ", port.mac.text());
    out.members.keys.push_back(cat(quoted(rules.bridge), " . ", port.address.text()));
    out.pins.keys.push_back(cat(who, " . ", port.address.text()));
    if (serves_dhcp(rules)) out.dhcp_clients.keys.push_back(who);
  }
}

Collections collect(const FirewallState& state, const std::vector<Publication>& publications) {
  Collections out;
  for (const auto& rules : state.bridges) {
    out.bridges.keys.push_back(quoted(rules.bridge));
    collect_ports(out, rules);
  }
  for (const auto& p : publications) {
    const bool udp = p.protocol == Protocol::kUdp;
    auto& into = p.host_ip ? (udp ? out.udp_on : out.tcp_on) : (udp ? out.udp : out.tcp);
    into.keys.push_back(p.host_ip ? cat(p.host_ip->text(), " . ", p.host_port) : cat(p.host_port));
    into.values.push_back(cat(p.guest.text(), " . ", p.guest_port));
  }
  return out;
}

// nftables takes no empty list of elements.
void write_collections(Writer& out, const Collections& collections, std::string_view family) {
  for (const auto* collection : collections.all()) {
    if (collection->family != family) continue;
    out.open(cat(collection->kind, ' ', collection->name));
    out.line(cat("type ", collection->type));
    if (!collection->keys.empty()) out.line(cat("elements = { ", join(collection->elements(), ", "), " }"));
    out.close();
  }
}

// Before connection tracking: what may come from a bridge at all. The loopback rule closes what route_localnet opens.
void write_guard(Writer& out, const FirewallState& state) {
  out.base_chain("guard", "filter hook prerouting priority -300");
  out.line("iifname != @bridges accept");
  out.line("meta nfproto ipv6 drop");
  out.line("ip daddr 127.0.0.0/8 drop");
  for (const auto& rules : state.bridges) {
    if (serves_dhcp(rules)) {
      out.line(cat("iifname ", quoted(rules.bridge), " ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept"));
    }
  }
  out.line("iifname . ip saddr != @members drop");
  out.close();
}

void write_nat(Writer& out, const FirewallState& state) {
  out.open("chain publish");
  for (const auto* protocol : {"tcp", "udp"}) {
    out.line(cat("dnat ip addr . port to ip daddr . ", protocol, " dport map @publish_", protocol, "_on"));
    out.line(cat("dnat ip addr . port to ", protocol, " dport map @publish_", protocol));
  }
  out.close();
  out.base_chain("prerouting", "nat hook prerouting priority -100");
  out.line(service_dispatch());
  out.line("ip daddr != @service_addresses fib daddr type local goto publish");
  out.close();
  // Connections of the host itself never see prerouting.
  out.base_chain("output", "nat hook output priority -100");
  out.line(service_dispatch());
  out.line("ip daddr != @service_addresses fib daddr type local goto publish");
  out.close();
  out.base_chain("postrouting", "nat hook postrouting priority 100");
  for (const auto& rules : state.bridges) {
    const std::string bridge = quoted(rules.bridge);
    const std::string subnet = rules.gateway.network_cidr().text();
    // A guest cannot answer 127.0.0.1, nor its neighbour past the host: let both see the bridge's address.
    out.line(cat("oifname ", bridge, " ip saddr 127.0.0.0/8 masquerade"));
    // The host speaks to its own address from that same address.
    out.line(cat("oifname ", bridge, " ip saddr @service_addresses masquerade"));
    out.line(cat("oifname ", bridge, " ip saddr ", subnet, " ct status dnat masquerade"));
    if (rules.egress == Egress::kNat) out.line(cat("ip saddr ", subnet, " oifname != @bridges masquerade"));
  }
  for (const auto& rule : passage_nat_rules()) out.line(rule);
  out.close();
}

// What the policy says, of every packet of who began: before what is established is let through.
void write_passages(Writer& out, const FirewallState& state) {
  out.open("chain crossing");
  for (const auto& rules : state.bridges) {
    out.line(cat("iifname ", quoted(rules.bridge), " oifname ", quoted(rules.bridge), " return"));
  }
  for (const auto& rule : crossing_rules()) out.line(rule);
  out.close();
  out.open("chain leaving");
  // Where clouds serve the host's own credentials (169.254.169.254): none of a guest's business.
  out.line("ip daddr 169.254.0.0/16 reject with icmpx admin-prohibited");
  for (const auto& rule : leaving_rules()) out.line(rule);
  for (const auto& rules : state.bridges) {
    if (rules.egress == Egress::kNat) out.line(cat("iifname ", quoted(rules.bridge), " accept"));
  }
  out.line("reject with icmpx admin-prohibited");
  out.close();
}

void write_forward(Writer& out, const FirewallState& state) {
  write_passages(out, state);
  out.base_chain("forward", "filter hook forward priority 0");
  out.line("iifname != @bridges oifname != @bridges accept");
  out.line(service_refusal_rule());
  out.line("ct state invalid drop");
  out.line("meta l4proto icmp ct state related accept");
  out.line("ct direction original iifname @bridges oifname @bridges jump crossing");
  out.line("ct direction original iifname @bridges oifname != @bridges goto leaving");
  out.line("ct state established,related accept");
  for (const auto& rules : state.bridges) {
    const std::string inside = cat("iifname ", quoted(rules.bridge), " oifname ", quoted(rules.bridge));
    // Hidden neighbours are kept apart by the bridge; here, from a detour over the gateway.
    out.line(cat(inside, rules.neighbours == Neighbours::kHidden ? " ct status dnat accept" : " accept"));
  }
  out.line("iifname @bridges oifname @bridges drop");
  out.line("oifname @bridges ct status dnat accept");
  out.line("oifname @bridges drop");
  out.line("reject with icmpx admin-prohibited");
  out.close();
}

void write_input(Writer& out, const FirewallState& state) {
  out.base_chain("input", "filter hook input priority 0");
  for (const auto rule : service_input_rules()) out.line(rule);
  out.line("iifname != @bridges accept");
  out.line("ct state established,related accept");
  out.line("icmp type echo-request accept");
  for (const auto& rules : state.bridges) {
    const std::string from = cat("iifname ", quoted(rules.bridge));
    if (!rules.host_tcp.empty()) out.line(cat(from, " tcp dport ", port_list(rules.host_tcp), " accept"));
    if (!rules.host_udp.empty()) out.line(cat(from, " udp dport ", port_list(rules.host_udp), " accept"));
  }
  out.line("reject with icmpx admin-prohibited");
  out.close();
}

// Frames, before the bridge looks at them. What is not pinned is dropped, a port that no state names included.
void write_pins(Writer& out, const FirewallState& state) {
  out.open("chain pinned");
  out.line("iifname . ether saddr . ip saddr @pins accept");
  out.line("iifname . ether saddr . arp saddr ip @pins iifname . arp saddr ether . arp saddr ip @pins accept");
  out.line("iifname . ether saddr @dhcp_clients ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept");
  out.line("drop");
  out.close();
  out.base_chain("prerouting", "filter hook prerouting priority -300");
  for (const auto& rules : state.bridges) {
    out.line(cat("iifname ", quoted(cat(port_prefix(rules.bridge), "*")), " goto pinned"));
  }
  out.close();
}

// "add" makes the delete safe when the table is not there; all of it is one transaction.
void open_table(Writer& out, std::string_view family, const std::string& table) {
  out.line(cat("add table ", family, ' ', table));
  out.line(cat("delete table ", family, ' ', table));
  out.open(cat("table ", family, ' ', table));
}

bool same_frame(const FirewallState& a, const FirewallState& b) {
  return a.table == b.table && std::ranges::equal(a.bridges, b.bridges, [](const auto& left, const auto& right) {
           return static_cast<const BridgePolicy&>(left) == static_cast<const BridgePolicy&>(right);
         });
}

template <typename T>
std::vector<T> missing_from(std::vector<T> base, std::vector<T> other) {
  std::ranges::sort(base);
  std::ranges::sort(other);
  std::vector<T> out;
  std::ranges::set_difference(base, other, std::back_inserter(out));
  return out;
}

// The part of `base` that `other`, of the same frame, does not have. Compared as values: rendering everything to
// compare texts would cost more than loading the difference.
FirewallState part_missing_from(const FirewallState& base, const FirewallState& other) {
  FirewallState part{base.table, {}, {}};
  for (std::size_t i = 0; i < base.bridges.size(); ++i) {
    BridgeRules rules{base.bridges[i], missing_from(base.bridges[i].ports, other.bridges[i].ports),
                      missing_from(base.bridges[i].published, other.bridges[i].published)};
    part.bridges.push_back(std::move(rules));
  }
  return part;
}

// `verb` is "add" or "delete"; a key alone says what to delete.
void append_commands(std::string& commands, std::string_view verb, const FirewallState& part) {
  const auto collections = collect(part, all_publications(part));
  for (const auto* collection : collections.all()) {
    if (collection == &collections.bridges || collection->keys.empty()) continue;  // bridges are of the frame
    commands += cat(verb, " element ", collection->family, ' ', part.table, ' ', collection->name, " { ",
                    join(verb == "add" ? collection->elements() : collection->keys, ", "), " }\n");
  }
}

}  // namespace

Result<Ruleset> render(const FirewallState& state) {
  TRY(check_names(state));
  const auto publications = all_publications(state);
  TRY(check_publications(publications));
  TRY(check_services(state.services));
  const auto collections = collect(state, publications);
  Writer out;
  open_table(out, "inet", state.table);
  write_collections(out, collections, "inet");
  for (const auto collection : service_collections()) out.line(collection);
  for (const auto& collection : passage_collections()) out.line(collection);
  write_guard(out, state);
  write_nat(out, state);
  write_forward(out, state);
  write_input(out, state);
  out.close();
  open_table(out, "bridge", state.table);
  write_collections(out, collections, "bridge");
  write_pins(out, state);
  out.close();
  return Ruleset{state.table, out.take() + service_commands(state.table, {}, state.services) +
                                  passage_commands(state.table, {}, state.policy)};
}

Result<Ruleset> render_change(const FirewallState& from, const FirewallState& to) {
  if (!same_frame(from, to)) return render(to);
  return render_change(from, to, part_missing_from(from, to), part_missing_from(to, from));
}

FirewallState changed(FirewallState from, const FirewallState& gone, const FirewallState& fresh) {
  for (std::size_t i = 0; i < from.bridges.size(); ++i) {
    for (const auto& each : gone.bridges[i].ports) std::erase(from.bridges[i].ports, each);
    for (const auto& each : gone.bridges[i].published) std::erase(from.bridges[i].published, each);
    std::ranges::copy(fresh.bridges[i].ports, std::back_inserter(from.bridges[i].ports));
    std::ranges::copy(fresh.bridges[i].published, std::back_inserter(from.bridges[i].published));
  }
  from.services = fresh.services;
  from.policy = fresh.policy;
  return from;
}

Result<Ruleset> render_change(const FirewallState& from, const FirewallState& to, const FirewallState& gone,
                              const FirewallState& fresh) {
  const bool publishes = std::ranges::any_of(fresh.bridges, [](const auto& each) { return !each.published.empty(); });
  if (publishes) TRY(check_publications(all_publications(to)));
  TRY(check_services(to.services));
  TRY(check_names(fresh));
  Ruleset change{to.table, {}};
  // Deletions first: a published port may get another target.
  append_commands(change.commands, "delete", gone);
  append_commands(change.commands, "add", fresh);
  change.commands += service_commands(to.table, from.services, to.services);
  change.commands += passage_commands(to.table, from.policy, to.policy);
  return change;
}

std::string default_table_name(const std::string& bridge) {
  std::string name = cat("skerry-", bridge);
  std::ranges::replace(name, '.', '_');
  return name;
}

}  // namespace skerry::network
