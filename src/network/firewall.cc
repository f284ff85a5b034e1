#include "network/firewall.h"

#include <algorithm>
#include <set>

#include "base/text.h"

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
    for (std::size_t j = i; j-- > 0 && sorted[j].host_port == sorted[i].host_port;) {
      const auto& a = sorted[j];
      const auto& b = sorted[i];
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
  // A set or map; nftables takes no empty list of elements.
  void elements(const std::string& head, std::string_view type, const std::vector<std::string>& items) {
    open(head);
    line(cat("type ", type));
    if (!items.empty()) line(cat("elements = { ", join(items, ", "), " }"));
    close();
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

void write_sets(Writer& out, const FirewallState& state, const std::vector<Publication>& publications) {
  std::vector<std::string> bridges;
  std::vector<std::string> members;
  for (const auto& rules : state.bridges) {
    bridges.push_back(quoted(rules.bridge));
    auto ports = rules.ports;
    std::ranges::sort(ports, {}, &PinnedPort::address);
    for (const auto& port : ports) members.push_back(cat(quoted(rules.bridge), " . ", port.address.text()));
  }
  out.elements("set bridges", "ifname", bridges);
  out.elements("set members", "ifname . ipv4_addr", members);
  for (const auto protocol : {Protocol::kTcp, Protocol::kUdp}) {
    std::vector<std::string> any;
    std::vector<std::string> one;
    for (const auto& p : publications) {
      if (p.protocol != protocol) continue;
      const std::string target = cat(p.host_port, " : ", p.guest.text(), " . ", p.guest_port);
      if (p.host_ip) {
        one.push_back(cat(p.host_ip->text(), " . ", target));
      } else {
        any.push_back(target);
      }
    }
    const auto name = to_text(protocol);
    out.elements(cat("map publish_", name), "inet_service : ipv4_addr . inet_service", any);
    out.elements(cat("map publish_", name, "_on"), "ipv4_addr . inet_service : ipv4_addr . inet_service", one);
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
  out.line("fib daddr type local goto publish");
  out.close();
  // Connections of the host itself never see prerouting.
  out.base_chain("output", "nat hook output priority -100");
  out.line("fib daddr type local goto publish");
  out.close();
  out.base_chain("postrouting", "nat hook postrouting priority 100");
  for (const auto& rules : state.bridges) {
    const std::string bridge = quoted(rules.bridge);
    const std::string subnet = rules.gateway.network_cidr().text();
    // A guest cannot answer 127.0.0.1, nor its neighbour past the host: let both see the bridge's address.
    out.line(cat("oifname ", bridge, " ip saddr 127.0.0.0/8 masquerade"));
    out.line(cat("oifname ", bridge, " ip saddr ", subnet, " ct status dnat masquerade"));
    if (rules.egress == Egress::kNat) out.line(cat("ip saddr ", subnet, " oifname != @bridges masquerade"));
  }
  out.close();
}

void write_forward(Writer& out, const FirewallState& state) {
  out.base_chain("forward", "filter hook forward priority 0");
  out.line("iifname != @bridges oifname != @bridges accept");
  out.line("ct state established,related accept");
  out.line("ct state invalid drop");
  for (const auto& rules : state.bridges) {
    const std::string inside = cat("iifname ", quoted(rules.bridge), " oifname ", quoted(rules.bridge));
    // Hidden neighbours are kept apart by the bridge; here, from a detour over the gateway.
    out.line(cat(inside, rules.neighbours == Neighbours::kHidden ? " ct status dnat accept" : " accept"));
  }
  out.line("iifname @bridges oifname @bridges drop");
  out.line("oifname @bridges ct status dnat accept");
  out.line("oifname @bridges drop");
  for (const auto& rules : state.bridges) {
    if (rules.egress == Egress::kNat) out.line(cat("iifname ", quoted(rules.bridge), " accept"));
  }
  out.line("reject with icmpx admin-prohibited");
  out.close();
}

void write_input(Writer& out, const FirewallState& state) {
  out.base_chain("input", "filter hook input priority 0");
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
  std::vector<std::string> pins;
  std::vector<std::string> macs;
  for (const auto& rules : state.bridges) {
    auto ports = rules.ports;
    std::ranges::sort(ports, {}, &PinnedPort::address);
    for (const auto& port : ports) {
      const std::string who = cat(quoted(port.interface), " . ", port.mac.text());
      pins.push_back(cat(who, " . ", port.address.text()));
      if (serves_dhcp(rules)) macs.push_back(who);
    }
  }
  out.elements("set pins", "ifname . ether_addr . ipv4_addr", pins);
  if (!macs.empty()) out.elements("set dhcp_clients", "ifname . ether_addr", macs);
  out.open("chain pinned");
  out.line("iifname . ether saddr . ip saddr @pins accept");
  out.line("iifname . ether saddr . arp saddr ip @pins iifname . arp saddr ether . arp saddr ip @pins accept");
  if (!macs.empty()) {
    out.line("iifname . ether saddr @dhcp_clients ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept");
  }
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

}  // namespace

Result<Ruleset> render(const FirewallState& state) {
  TRY(check_names(state));
  const auto publications = all_publications(state);
  TRY(check_publications(publications));
  Writer out;
  open_table(out, "inet", state.table);
  write_sets(out, state, publications);
  write_guard(out, state);
  write_nat(out, state);
  write_forward(out, state);
  write_input(out, state);
  out.close();
  open_table(out, "bridge", state.table);
  write_pins(out, state);
  out.close();
  return Ruleset{state.table, out.take()};
}

std::string default_table_name(const std::string& bridge) {
  std::string name = cat("skerry-", bridge);
  std::ranges::replace(name, '.', '_');
  return name;
}

}  // namespace skerry::network
