#include "network/firewall.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace skerry::network {
namespace {

BridgeRules default_bridge() {
  BridgeRules rules;
  rules.bridge = "vbr0";
  rules.gateway = Cidr::parse("192.168.127.1/24").value();
  return rules;
}

PinnedPort port(const std::string& interface, const std::string& ip) {
  const auto address = Ipv4::parse(ip).value();
  return {interface, MacAddress::for_address(address), address};
}

Publication publication(const std::string& text, const std::string& guest) {
  const auto parsed = parse_published_port(text).value();
  Publication out{std::nullopt, parsed.host_port, parsed.protocol, Ipv4::parse(guest).value(), parsed.guest_port};
  if (!parsed.host_ip.empty()) out.host_ip = Ipv4::parse(parsed.host_ip).value();
  return out;
}

FirewallState full_state() {
  FirewallState state{"skerry-vbr0", {default_bridge()}, {}};
  auto& zone = state.bridges[0];
  zone.ports = {port("skabcdbbbbbbbbb", "192.168.127.101"), port("skabcdaaaaaaaaa", "192.168.127.100")};
  zone.published = {publication("8080:80", "192.168.127.100"), publication("127.0.0.1:53:53/udp", "192.168.127.101")};
  zone.host_tcp = {8080, 53, 8080};
  return state;
}

constexpr std::string_view kGolden = R"(add table inet skerry-vbr0
delete table inet skerry-vbr0
table inet skerry-vbr0 {
  set bridges {
    type ifname
    elements = { "vbr0" }
  }
  set members {
    type ifname . ipv4_addr
    elements = { "vbr0" . 192.168.127.100, "vbr0" . 192.168.127.101 }
  }
  map publish_tcp {
    type inet_service : ipv4_addr . inet_service
    elements = { 8080 : 192.168.127.100 . 80 }
  }
  map publish_tcp_on {
    type ipv4_addr . inet_service : ipv4_addr . inet_service
  }
  map publish_udp {
    type inet_service : ipv4_addr . inet_service
  }
  map publish_udp_on {
    type ipv4_addr . inet_service : ipv4_addr . inet_service
    elements = { 127.0.0.1 . 53 : 192.168.127.101 . 53 }
  }
  map services { type ipv4_addr . inet_proto . inet_service : verdict; }
  set service_addresses { type ipv4_addr; }
  set service_ports { type ipv4_addr . inet_proto . inet_service; }
  set cross_port_allowed { type ipv4_addr . ipv4_addr . inet_proto . inet_service; }
  set cross_port_denied { type ipv4_addr . ipv4_addr . inet_proto . inet_service; }
  set cross_all_allowed { type ipv4_addr . ipv4_addr; }
  set leave_port_allowed { type ipv4_addr . inet_proto . inet_service; }
  set leave_port_denied { type ipv4_addr . inet_proto . inet_service; }
  set leave_all_allowed { type ipv4_addr; }
  set leave_all_denied { type ipv4_addr; }
  chain guard {
    type filter hook prerouting priority -300; policy accept;
    iifname != @bridges accept
    meta nfproto ipv6 drop
    ip daddr 127.0.0.0/8 drop
    iifname . ip saddr != @members drop
  }
  chain publish {
    dnat ip addr . port to ip daddr . tcp dport map @publish_tcp_on
    dnat ip addr . port to tcp dport map @publish_tcp
    dnat ip addr . port to ip daddr . udp dport map @publish_udp_on
    dnat ip addr . port to udp dport map @publish_udp
  }
  chain prerouting {
    type nat hook prerouting priority -100; policy accept;
    ip daddr . meta l4proto . th dport vmap @services
    ip daddr != @service_addresses fib daddr type local goto publish
  }
  chain output {
    type nat hook output priority -100; policy accept;
    ip daddr . meta l4proto . th dport vmap @services
    ip daddr != @service_addresses fib daddr type local goto publish
  }
  chain postrouting {
    type nat hook postrouting priority 100; policy accept;
    oifname "vbr0" ip saddr 127.0.0.0/8 masquerade
    oifname "vbr0" ip saddr @service_addresses masquerade
    oifname "vbr0" ip saddr 192.168.127.0/24 ct status dnat masquerade
    ip saddr 192.168.127.0/24 oifname != @bridges masquerade
    oifname != @bridges ip saddr . meta l4proto . th dport @leave_port_allowed masquerade
    oifname != @bridges meta l4proto { tcp, udp } ip saddr @leave_all_allowed masquerade
  }
  chain crossing {
    iifname "vbr0" oifname "vbr0" return
    ip saddr . ip daddr . meta l4proto . th dport @cross_port_denied drop
    ip saddr . ip daddr . meta l4proto . th dport @cross_port_allowed accept
    meta l4proto { tcp, udp } ip saddr . ip daddr @cross_all_allowed accept
    drop
  }
  chain leaving {
    ip daddr 169.254.0.0/16 reject with icmpx admin-prohibited
    ip saddr . meta l4proto . th dport @leave_port_denied reject with icmpx admin-prohibited
    ip saddr . meta l4proto . th dport @leave_port_allowed accept
    meta l4proto { tcp, udp } ip saddr @leave_all_allowed accept
    ip saddr @leave_all_denied reject with icmpx admin-prohibited
    iifname "vbr0" accept
    reject with icmpx admin-prohibited
  }
  chain forward {
    type filter hook forward priority 0; policy accept;
    iifname != @bridges oifname != @bridges accept
    ct direction reply ct status dnat ct original ip daddr @service_addresses tcp flags & (syn | rst | ack) == rst | ack tcp sequence 0 drop
    ct state invalid drop
    meta l4proto icmp ct state related accept
    ct direction original iifname @bridges oifname @bridges jump crossing
    ct direction original iifname @bridges oifname != @bridges goto leaving
    ct state established,related accept
    iifname "vbr0" oifname "vbr0" accept
    iifname @bridges oifname @bridges drop
    oifname @bridges ct status dnat accept
    oifname @bridges drop
    reject with icmpx admin-prohibited
  }
  chain input {
    type filter hook input priority 0; policy accept;
    ct direction reply ct status dnat ct original ip daddr @service_addresses tcp flags & (syn | rst | ack) == rst | ack tcp sequence 0 drop
    ip daddr @service_addresses ct state new icmp type echo-request accept
    ip daddr . meta l4proto . th dport @service_ports ct state new counter drop
    ip daddr @service_addresses ct state new meta l4proto tcp reject with tcp reset
    ip daddr @service_addresses ct state new reject with icmpx port-unreachable
    iifname != @bridges accept
    ct state established,related accept
    icmp type echo-request accept
    iifname "vbr0" tcp dport { 53, 8080 } accept
    reject with icmpx admin-prohibited
  }
}
add table bridge skerry-vbr0
delete table bridge skerry-vbr0
table bridge skerry-vbr0 {
  set pins {
    type ifname . ether_addr . ipv4_addr
    elements = { "skabcdaaaaaaaaa" . 02:53:c0:a8:7f:64 . 192.168.127.100, "skabcdbbbbbbbbb" . 02:53:c0:a8:7f:65 . 192.168.127.101 }
  }
  set dhcp_clients {
    type ifname . ether_addr
  }
  chain pinned {
    iifname . ether saddr . ip saddr @pins accept
    iifname . ether saddr . arp saddr ip @pins iifname . arp saddr ether . arp saddr ip @pins accept
    iifname . ether saddr @dhcp_clients ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept
    drop
  }
  chain prerouting {
    type filter hook prerouting priority -300; policy accept;
    iifname "PREFIX*" goto pinned
  }
}
)";

TEST(Render, FullStateIsGolden) {
  std::string expected(kGolden);
  const std::string mark = "PREFIX";
  expected.replace(expected.find(mark), mark.size(), port_prefix("vbr0"));
  const auto ruleset = render(full_state());
  ASSERT_TRUE(ruleset);
  EXPECT_EQ(ruleset->table, "skerry-vbr0");
  EXPECT_EQ(ruleset->commands, expected);
}

TEST(Render, OrderOfTheStateDoesNotMatter) {
  auto state = full_state();
  auto turned = state;
  std::swap(turned.bridges[0].ports[0], turned.bridges[0].ports[1]);
  std::swap(turned.bridges[0].published[0], turned.bridges[0].published[1]);
  EXPECT_EQ(render(state)->commands, render(turned)->commands);
}

TEST(Render, ZoneWithoutEgressIsNeitherMasqueradedNorForwarded) {
  auto state = full_state();
  state.bridges[0].egress = Egress::kNone;
  const auto text = render(state)->commands;
  EXPECT_EQ(text.find("oifname != @bridges masquerade"), std::string::npos);
  EXPECT_EQ(text.find("iifname \"vbr0\" accept"), std::string::npos);
}

TEST(Render, HiddenNeighboursMayOnlyMeetAtPublishedPorts) {
  auto state = full_state();
  state.bridges[0].neighbours = Neighbours::kHidden;
  const auto text = render(state)->commands;
  EXPECT_NE(text.find("iifname \"vbr0\" oifname \"vbr0\" ct status dnat accept"), std::string::npos);
  EXPECT_EQ(text.find("iifname \"vbr0\" oifname \"vbr0\" accept"), std::string::npos);
}

TEST(Render, DhcpServiceLetsRequestsThrough) {
  auto state = full_state();
  state.bridges[0].host_udp = {67};
  const auto text = render(state)->commands;
  EXPECT_NE(text.find("elements = { \"skabcdaaaaaaaaa\" . 02:53:c0:a8:7f:64, "), std::string::npos);
  EXPECT_NE(text.find("iifname \"vbr0\" ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept"), std::string::npos);
}

TEST(Render, SameHostPortTwiceNamesBothGuests) {
  for (const auto* second : {"8080:81", "0.0.0.0:8080:81", "10.0.0.1:8080:81"}) {
    auto state = full_state();
    state.bridges[0].published.push_back(publication(second, "192.168.127.101"));
    const auto ruleset = render(state);
    ASSERT_FALSE(ruleset) << second;
    EXPECT_EQ(ruleset.error().code, ErrorCode::kConflict);
    EXPECT_NE(ruleset.error().message().find("192.168.127.100 and 192.168.127.101"), std::string::npos)
        << ruleset.error().message();
  }
}

TEST(Render, SamePortOnOtherAddressOrProtocolIsFine) {
  auto state = full_state();
  auto& published = state.bridges[0].published;
  published.push_back(publication("8080:80/udp", "192.168.127.101"));
  published.push_back(publication("10.0.0.1:9000:80", "192.168.127.100"));
  published.push_back(publication("10.0.0.2:9000:80", "192.168.127.101"));
  EXPECT_TRUE(render(state));
}

TEST(Render, RefusesNamesNftablesCouldMisread) {
  const auto with = [](auto change) {
    auto state = full_state();
    change(state);
    const auto ruleset = render(state);
    return !ruleset && ruleset.error().code == ErrorCode::kInvalidArgument;
  };
  EXPECT_TRUE(with([](auto& s) { s.table = "x { }; flush ruleset"; }));
  EXPECT_TRUE(with([](auto& s) { s.table = "1x"; }));
  EXPECT_TRUE(with([](auto& s) { s.table = ""; }));
  EXPECT_TRUE(with([](auto& s) { s.bridges[0].bridge = "a\" accept"; }));
  EXPECT_TRUE(with([](auto& s) { s.bridges[0].ports[0].interface = "*"; }));
  EXPECT_TRUE(with([](auto& s) { s.bridges.push_back(s.bridges[0]); }));
}

TEST(RenderChange, NothingToDoIsEmpty) { EXPECT_EQ(render_change(full_state(), full_state())->commands, ""); }

TEST(RenderChange, OneEnvironmentTouchesOnlyItself) {
  auto more = full_state();
  more.bridges[0].ports.push_back(port("skabcdccccccccc", "192.168.127.102"));
  more.bridges[0].published.push_back(publication("9000:90", "192.168.127.102"));
  EXPECT_EQ(render_change(full_state(), more)->commands,
            "add element inet skerry-vbr0 members { \"vbr0\" . 192.168.127.102 }\n"
            "add element inet skerry-vbr0 publish_tcp { 9000 : 192.168.127.102 . 90 }\n"
            "add element bridge skerry-vbr0 pins { \"skabcdccccccccc\" . 02:53:c0:a8:7f:66 . 192.168.127.102 }\n");
  EXPECT_EQ(render_change(more, full_state())->commands,
            "delete element inet skerry-vbr0 members { \"vbr0\" . 192.168.127.102 }\n"
            "delete element inet skerry-vbr0 publish_tcp { 9000 }\n"
            "delete element bridge skerry-vbr0 pins { \"skabcdccccccccc\" . 02:53:c0:a8:7f:66 . 192.168.127.102 }\n");
}

TEST(RenderChange, KeyWithAnotherValueIsReplaced) {
  auto moved = full_state();
  moved.bridges[0].published[0].guest_port = 81;
  EXPECT_EQ(render_change(full_state(), moved)->commands,
            "delete element inet skerry-vbr0 publish_tcp { 8080 }\n"
            "add element inet skerry-vbr0 publish_tcp { 8080 : 192.168.127.100 . 81 }\n");
}

TEST(RenderChange, AnythingElseReplacesTheTable) {
  auto closed = full_state();
  closed.bridges[0].egress = Egress::kNone;
  EXPECT_EQ(render_change(full_state(), closed)->commands, render(closed)->commands);
}

TEST(RenderChange, RefusesWhatRenderRefuses) {
  auto twice = full_state();
  twice.bridges[0].published.push_back(publication("8080:81", "192.168.127.101"));
  EXPECT_EQ(render_change(full_state(), twice).error().code, ErrorCode::kConflict);
}

Service service(const std::string& port, const std::vector<std::string>& endpoints) {
  const auto parsed = parse_published_port(port).value();
  Service out{Ipv4::parse("192.168.127.2").value(), parsed.host_port, parsed.protocol, {}};
  for (const auto& each : endpoints) out.endpoints.push_back({Ipv4::parse(each).value(), parsed.guest_port});
  return out;
}

TEST(RenderServices, TheSameCommandsMakeAndRemoveThem) {
  auto served = full_state();
  served.services = {service("80:8080", {"192.168.127.101", "192.168.127.100"}), service("53:53/udp", {})};
  const std::string made =
      "add element inet skerry-vbr0 service_ports { 192.168.127.2 . tcp . 80 }\n"
      "add chain inet skerry-vbr0 service_192_168_127_2_tcp_80\n"
      "add rule inet skerry-vbr0 service_192_168_127_2_tcp_80 meta l4proto tcp dnat ip addr . port to numgen random "
      "mod 2 map { 0 : 192.168.127.100 . 8080, 1 : 192.168.127.101 . 8080 }\n"
      "add rule inet skerry-vbr0 service_192_168_127_2_tcp_80 meta l4proto tcp dnat ip to 192.168.127.100:8080\n"
      "add element inet skerry-vbr0 services { 192.168.127.2 . tcp . 80 : goto service_192_168_127_2_tcp_80 }\n"
      "add chain inet skerry-vbr0 service_192_168_127_2_udp_53\n"
      "add element inet skerry-vbr0 services { 192.168.127.2 . udp . 53 : goto service_192_168_127_2_udp_53 }\n"
      "add element inet skerry-vbr0 service_addresses { 192.168.127.2 }\n";
  EXPECT_EQ(render_change(full_state(), served)->commands, made);
  EXPECT_EQ(render(served)->commands, render(full_state())->commands + made);
  EXPECT_EQ(render_change(served, full_state())->commands,
            "delete element inet skerry-vbr0 service_addresses { 192.168.127.2 }\n"
            "delete element inet skerry-vbr0 services { 192.168.127.2 . tcp . 80 }\n"
            "flush chain inet skerry-vbr0 service_192_168_127_2_tcp_80\n"
            "delete chain inet skerry-vbr0 service_192_168_127_2_tcp_80\n"
            "delete element inet skerry-vbr0 service_ports { 192.168.127.2 . tcp . 80 }\n"
            "delete element inet skerry-vbr0 services { 192.168.127.2 . udp . 53 }\n"
            "flush chain inet skerry-vbr0 service_192_168_127_2_udp_53\n"
            "delete chain inet skerry-vbr0 service_192_168_127_2_udp_53\n");
}

TEST(RenderServices, AnEndpointReplacesOneRule) {
  auto before = full_state();
  before.services = {service("80:8080", {"192.168.127.100", "192.168.127.101"}), service("53:53/udp", {})};
  auto after = before;
  after.services[0].endpoints.pop_back();
  std::ranges::reverse(after.services);
  EXPECT_EQ(
      render_change(before, after)->commands,
      "flush chain inet skerry-vbr0 service_192_168_127_2_tcp_80\n"
      "add rule inet skerry-vbr0 service_192_168_127_2_tcp_80 meta l4proto tcp dnat ip to 192.168.127.100:8080\n");
  auto reordered = before;
  std::ranges::reverse(reordered.services[0].endpoints);
  EXPECT_EQ(render_change(before, reordered)->commands, "");
}

TEST(RenderServices, OnePortIsOneService) {
  auto twice = full_state();
  twice.services = {service("80:8080", {}), service("80:81", {})};
  EXPECT_EQ(render(twice).error().code, ErrorCode::kConflict);
  EXPECT_EQ(render_change(full_state(), twice).error().code, ErrorCode::kConflict);
}

TEST(DefaultTableName, IsAPlainName) {
  EXPECT_EQ(default_table_name("vbr0"), "skerry-vbr0");
  EXPECT_EQ(default_table_name("br.7"), "skerry-br_7");
}

}  // namespace
}  // namespace skerry::network
