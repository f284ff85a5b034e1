// The rules at work in the kernel: one host with a zone's bridge, a second bridge that plays the world outside, and
// guests on both.
#include "network/nftables.h"

#include <linux/rtnetlink.h>

#include "network/bridge.h"
#include "network/port.h"
#include "network/rules_testing.h"

namespace skerry::network {
namespace {

class Rules : public RulesHost {};

TEST_F(Rules, GuestsAndHostReachTheGuests) {
  const Fd server = serve_in(b_.get(), "192.168.127.101", 80);
  EXPECT_EQ(connect_in(a_.get(), "192.168.127.101", 80).error, 0);
  EXPECT_EQ(accepted_from(server.get()), "192.168.127.100");
  EXPECT_EQ(connect_in(host(), "192.168.127.101", 80).error, 0);
}

TEST_F(Rules, GuestReachesOutsideBehindTheHostsAddress) {
  const Fd server = serve_in(outside_.get(), "10.99.0.2", 80);
  EXPECT_EQ(connect_in(a_.get(), "10.99.0.2", 80).error, 0);
  EXPECT_EQ(accepted_from(server.get()), "10.99.0.1");
}

TEST_F(Rules, ZoneWithoutEgressReachesNothingOutside) {
  zone().egress = Egress::kNone;
  apply();
  const Fd server = serve_in(outside_.get(), "10.99.0.2", 80);
  EXPECT_NE(connect_in(a_.get(), "10.99.0.2", 80, kUnreachableMs).error, 0);
}

TEST_F(Rules, OutsideDoesNotReachGuestsByTheirAddress) {
  const Fd server = serve_in(a_.get(), "192.168.127.100", 80);
  EXPECT_NE(connect_in(outside_.get(), "192.168.127.100", 80, kUnreachableMs).error, 0);
}

TEST_F(Rules, GuestDoesNotReachTheHostsServicesUnlessNamed) {
  const Fd closed = serve_in(host(), "0.0.0.0", 8000);
  const Fd open = serve_in(host(), "0.0.0.0", 8001);
  zone().host_tcp = {8001};
  apply();
  EXPECT_NE(connect_in(a_.get(), "192.168.127.1", 8000, kUnreachableMs).error, 0);
  EXPECT_NE(connect_in(a_.get(), "10.99.0.1", 8000, kUnreachableMs).error, 0);
  EXPECT_EQ(connect_in(a_.get(), "192.168.127.1", 8001).error, 0);
}

TEST_F(Rules, PublishedPortIsReachedFromEverywhere) {
  publish("8080:80", "192.168.127.100");
  apply();
  const Fd server = serve_in(a_.get(), "192.168.127.100", 80);
  EXPECT_EQ(connect_in(outside_.get(), "10.99.0.1", 8080).error, 0);
  EXPECT_EQ(accepted_from(server.get()), "10.99.0.2") << "the guest sees who calls";
  EXPECT_EQ(connect_in(host(), "127.0.0.1", 8080).error, 0);
  EXPECT_EQ(accepted_from(server.get()), "192.168.127.1");
  EXPECT_EQ(connect_in(host(), "10.99.0.1", 8080).error, 0);
  EXPECT_EQ(connect_in(b_.get(), "192.168.127.1", 8080).error, 0) << "a neighbour";
  EXPECT_EQ(connect_in(a_.get(), "192.168.127.1", 8080).error, 0) << "the guest itself";
}

TEST_F(Rules, PortPublishedOnOneAddressIsNotOnAnother) {
  publish("127.0.0.1:8080:80", "192.168.127.100");
  publish("10.99.0.1:8081:80", "192.168.127.100");
  apply();
  const Fd server = serve_in(a_.get(), "192.168.127.100", 80);
  EXPECT_EQ(connect_in(host(), "127.0.0.1", 8080).error, 0);
  EXPECT_EQ(connect_in(outside_.get(), "10.99.0.1", 8080, kUnreachableMs).error, ECONNREFUSED);
  EXPECT_EQ(connect_in(outside_.get(), "10.99.0.1", 8081).error, 0);
  EXPECT_EQ(connect_in(host(), "127.0.0.1", 8081).error, ECONNREFUSED);
}

TEST_F(Rules, UdpIsPublishedToo) {
  publish("5353:53/udp", "192.168.127.100");
  apply();
  const Fd server = serve_in(a_.get(), "192.168.127.100", 53, SOCK_DGRAM);
  const Fd client = socket_in(outside_.get(), SOCK_DGRAM);
  const auto to = socket_address("10.99.0.1", 5353);
  ASSERT_EQ(::sendto(client.get(), "ping", 4, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to), 4);
  pollfd wait{server.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&wait, 1, kReachableMs), 1);
  char buffer[8];
  EXPECT_EQ(::recv(server.get(), buffer, sizeof buffer, 0), 4);
}

TEST_F(Rules, LoopbackOfTheHostIsNotReachedThroughTheBridge) {
  const Fd secret = serve_in(host(), "127.0.0.1", 9000);
  // The attack route_localnet would allow: a guest that sends 127.0.0.1 to the bridge.
  const Fd raw = socket_in(a_.get(), SOCK_STREAM);
  const std::string device = "eth0";
  ASSERT_EQ(::setsockopt(raw.get(), SOL_SOCKET, SO_BINDTODEVICE, device.c_str(), static_cast<socklen_t>(device.size())),
            0);
  const auto to = socket_address("127.0.0.1", 9000);
  static_cast<void>(::connect(raw.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to));
  pollfd wait{secret.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&wait, 1, kUnreachableMs), 0);
}

TEST_F(Rules, SpoofedIpAddressIsDropped) {
  Netlink inside = Netlink::open_in(a_.get()).value();
  const int eth0 = find_link(inside, "eth0").value()->index;
  ASSERT_OK(add_address(inside, eth0, Cidr::parse("192.168.127.200/24").value()));
  const Fd server = serve_in(b_.get(), "192.168.127.101", 80);
  const Fd client = socket_in(a_.get(), SOCK_STREAM);
  const auto from = socket_address("192.168.127.200", 0);
  ASSERT_EQ(::bind(client.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from), 0);
  const auto to = socket_address("192.168.127.101", 80);
  static_cast<void>(::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to));
  pollfd wait{server.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&wait, 1, kUnreachableMs), 0);
  EXPECT_NE(connect_in(host(), "192.168.127.200", 80, kUnreachableMs).error, ECONNREFUSED) << "ARP answers are pinned";
}

TEST_F(Rules, SpoofedMacAddressIsDropped) {
  Netlink inside = Netlink::open_in(a_.get()).value();
  NetlinkMessage message(RTM_SETLINK, 0);
  message.header<ifinfomsg>().ifi_index = find_link(inside, "eth0").value()->index;
  const auto other = MacAddress::parse("02:00:00:00:00:99").value();
  message.put(IFLA_ADDRESS, other.octets.data(), other.octets.size());
  ASSERT_OK(inside.request(message, "change MAC"));
  const Fd server = serve_in(b_.get(), "192.168.127.101", 80);
  EXPECT_NE(connect_in(a_.get(), "192.168.127.101", 80, kUnreachableMs).error, 0);
}

TEST_F(Rules, PortThatNoStateNamesIsClosed) {
  const Fd stranger = join("stranger", "vbr0", "192.168.127.150/24", "192.168.127.1");
  const Fd server = serve_in(b_.get(), "192.168.127.101", 80);
  EXPECT_NE(connect_in(stranger.get(), "192.168.127.101", 80, kUnreachableMs).error, 0);
  EXPECT_NE(connect_in(stranger.get(), "192.168.127.1", 1, kUnreachableMs).error, ECONNREFUSED);
}

TEST_F(Rules, HiddenNeighboursCannotTakeTheDetourOverTheGateway) {
  zone().neighbours = Neighbours::kHidden;
  const Fd c = guest("c", "192.168.127.110/24");
  const Fd d = guest("d", "192.168.127.111/24");
  apply();
  const Fd server = serve_in(d.get(), "192.168.127.111", 80);
  // Tell c that its neighbours are behind the gateway.
  ASSERT_OK(run_in_netns(c.get(), []() -> Status {
    Netlink netlink = TRY(Netlink::open());
    NetlinkMessage message(RTM_NEWROUTE, NLM_F_CREATE);
    auto& route = message.header<rtmsg>();
    route.rtm_family = AF_INET;
    route.rtm_dst_len = 32;
    route.rtm_table = RT_TABLE_MAIN;
    route.rtm_protocol = RTPROT_STATIC;
    route.rtm_type = RTN_UNICAST;
    message.put_be32(RTA_DST, Ipv4::parse("192.168.127.111").value().value);
    message.put_be32(RTA_GATEWAY, Ipv4::parse("192.168.127.1").value().value);
    return netlink.request(message, "add route");
  }));
  EXPECT_NE(connect_in(c.get(), "192.168.127.111", 80, kUnreachableMs).error, 0);
  EXPECT_EQ(connect_in(host(), "192.168.127.111", 80).error, 0);
}

TEST_F(Rules, ZonesDoNotReachEachOther) {
  ASSERT_OK(ensure_bridge({"vbr1", Cidr::parse("192.168.128.1/24").value()}));
  const auto ip = Ipv4::parse("192.168.128.100").value();
  BridgeRules second;
  second.bridge = "vbr1";
  second.gateway = Cidr::parse("192.168.128.1/24").value();
  second.ports.push_back({port_name("vbr1", "z"), MacAddress::for_address(ip), ip});
  state_.bridges.push_back(second);
  const Fd z = join("z", "vbr1", "192.168.128.100/24", "192.168.128.1");
  publish("8080:80", "192.168.127.100");
  apply();
  const Fd server = serve_in(a_.get(), "192.168.127.100", 80);
  EXPECT_NE(connect_in(z.get(), "192.168.127.100", 80, kUnreachableMs).error, 0);
  EXPECT_NE(connect_in(z.get(), "192.168.127.1", 8080, kUnreachableMs).error, 0) << "not by a published port either";
  const Fd outside = serve_in(outside_.get(), "10.99.0.2", 80);
  EXPECT_EQ(connect_in(z.get(), "10.99.0.2", 80).error, 0);
}

TEST_F(Rules, ReplacingKeepsOpenConnections) {
  publish("8080:80", "192.168.127.100");
  apply();
  const Fd server = serve_in(a_.get(), "192.168.127.100", 80);
  const auto connection = connect_in(outside_.get(), "10.99.0.1", 8080);
  ASSERT_EQ(connection.error, 0);
  const Fd accepted(::accept4(server.get(), nullptr, nullptr, SOCK_CLOEXEC));
  ASSERT_TRUE(accepted);
  for (int i = 0; i < 5; ++i) apply();
  ASSERT_EQ(::send(connection.socket.get(), "x", 1, 0), 1);
  pollfd wait{accepted.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&wait, 1, kReachableMs), 1);
}

TEST_F(Rules, FirewallLoadsDifferencesAndHealsAFlushedTable) {
  Firewall firewall(*nft_);
  auto with = state_;
  auto without = state_;
  without.bridges[0].ports.clear();
  publish("8080:80", "192.168.127.100");
  with = state_;
  const auto listed = [&] { return nft_->list("skerry-test").value(); };
  ASSERT_OK(firewall.apply(with));
  const auto expected = listed();
  ASSERT_OK(firewall.apply(without));
  EXPECT_NE(listed(), expected);
  ASSERT_OK(firewall.apply(with));
  EXPECT_EQ(listed(), expected);
  ASSERT_OK(nft_->remove("skerry-test"));
  ASSERT_OK(firewall.apply(without));
  ASSERT_OK(firewall.apply(with));
  EXPECT_EQ(listed(), expected);
  ASSERT_OK(firewall.remove());
  EXPECT_EQ(listed(), "");
}

TEST_F(Rules, RejectedRulesetChangesNothing) {
  const auto before = nft_->list("skerry-test").value();
  ASSERT_FALSE(before.empty());
  Ruleset broken = render(state_).value();
  broken.commands += "add rule inet skerry-test nowhere accept\n";
  const auto status = nft_->apply(broken);
  ASSERT_FALSE(status);
  EXPECT_FALSE(status.error().hint.empty());
  EXPECT_EQ(nft_->list("skerry-test").value(), before);
}

TEST_F(Rules, RemovalLeavesNothingAndSparesOthers) {
  Ruleset other = render(FirewallState{"somebody-else", {}, {}}).value();
  ASSERT_OK(nft_->apply(other));
  ASSERT_OK(nft_->remove("skerry-test"));
  ASSERT_OK(nft_->remove("skerry-test"));
  EXPECT_EQ(nft_->list("skerry-test").value(), "");
  EXPECT_NE(nft_->list("somebody-else").value(), "");
}

}  // namespace
}  // namespace skerry::network
