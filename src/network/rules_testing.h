// The rules at work in the kernel: one host with a zone's bridge, a second bridge that plays the world outside, and
// guests on both.
#pragma once

#include <memory>
#include <string>

#include "network/bridge.h"
#include "network/nftables.h"
#include "network/port.h"
#include "network/testing.h"

namespace skerry::network {

class RulesHost : public PrivateHost {
 protected:
  void SetUp() override {
    PrivateHost::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    nft_ = Nftables::open().value();
    ASSERT_OK(ensure_bridge({"vbr0", gateway_}));
    ASSERT_OK(ensure_bridge({"wan0", Cidr::parse("10.99.0.1/24").value()}));
    outside_ = join("outside", "wan0", "10.99.0.2/24", "10.99.0.1");
    state_.bridges.push_back({});
    zone().bridge = "vbr0";
    zone().gateway = gateway_;
    a_ = guest("a", "192.168.127.100/24");
    b_ = guest("b", "192.168.127.101/24");
    apply();
  }

  Fd join(const std::string& id, const std::string& bridge, const std::string& address, const std::string& gateway,
          Neighbours neighbours = Neighbours::kVisible) {
    Fd netns = open_netns(make_netns(id)).value();
    PortSpec spec{bridge, id, Cidr::parse(address).value(), Ipv4::parse(gateway).value(), {}, neighbours};
    spec.mac = MacAddress::for_address(spec.address.address);
    const auto attached = attach_veth(spec, netns.get());
    EXPECT_TRUE(attached) << message_of(attached);
    return netns;
  }
  // Joined to the zone and pinned in its rules.
  Fd guest(const std::string& id, const std::string& address) {
    const auto ip = Cidr::parse(address).value().address;
    zone().ports.push_back({port_name("vbr0", id), MacAddress::for_address(ip), ip});
    return join(id, "vbr0", address, "192.168.127.1", zone().neighbours);
  }
  void publish(const std::string& text, const std::string& to) {
    const auto port = parse_published_port(text).value();
    Publication out{std::nullopt, port.host_port, port.protocol, Ipv4::parse(to).value(), port.guest_port};
    if (!port.host_ip.empty()) out.host_ip = Ipv4::parse(port.host_ip).value();
    zone().published.push_back(out);
  }
  BridgeRules& zone() { return state_.bridges[0]; }
  void apply() {
    const auto ruleset = render(state_);
    ASSERT_OK(ruleset);
    ASSERT_OK(nft_->apply(*ruleset));
  }

  const Cidr gateway_ = Cidr::parse("192.168.127.1/24").value();
  std::unique_ptr<Nftables> nft_;
  FirewallState state_{"skerry-test", {}, {}};
  Fd outside_;
  Fd a_;
  Fd b_;
};

}  // namespace skerry::network
