#include "network/port.h"

#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <chrono>
#include <thread>

#include "network/bridge.h"
#include "network/testing.h"

namespace skerry::network {
namespace {

class Port : public PrivateHost {
 protected:
  void SetUp() override {
    PrivateHost::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_OK(ensure_bridge({"vbr0", gateway_}));
  }
  PortSpec spec(const std::string& id, const std::string& ip) {
    PortSpec out{"vbr0", id, Cidr::parse(ip + "/24").value(), gateway_.address, {}, Neighbours::kVisible};
    out.mac = MacAddress::for_address(out.address.address);
    return out;
  }
  // A device that goes by itself goes a moment later.
  bool vanishes(const std::string& name) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (find_link(netlink(), name).value()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  const Cidr gateway_ = Cidr::parse("192.168.127.1/24").value();
};

TEST(PortName, IsShortStableAndDistinct) {
  EXPECT_EQ(port_name("vbr0", "0123456789abcdef"), port_name("vbr0", "0123456789abcdef"));
  EXPECT_EQ(port_name("vbr0", "0123456789abcdef").size(), 15U);
  EXPECT_NE(port_name("vbr0", "0123456789abcdef"), port_name("vbr0", "0123456789abcdee"));
  EXPECT_NE(port_name("vbr0", "0123456789abcdef"), port_name("vbr1", "0123456789abcdef"));
  EXPECT_TRUE(port_name("vbr0", "x").starts_with(port_prefix("vbr0")));
}

TEST_F(Port, ContainersReachEachOtherAndTheHost) {
  const Fd a = open_netns(make_netns("a")).value();
  const Fd b = open_netns(make_netns("b")).value();
  ASSERT_OK(attach_veth(spec("a", "192.168.127.100"), a.get()));
  ASSERT_OK(attach_veth(spec("b", "192.168.127.101"), b.get()));
  const Fd in_b = serve_in(b.get(), "192.168.127.101", 80);
  EXPECT_EQ(connect_in(a.get(), "192.168.127.101", 80).error, 0);
  EXPECT_EQ(accepted_from(in_b.get()), "192.168.127.100");
  EXPECT_EQ(connect_in(host(), "192.168.127.101", 80).error, 0);
  EXPECT_EQ(accepted_from(in_b.get()), "192.168.127.1");
  const Fd on_host = serve_in(host(), "192.168.127.1", 8000);
  EXPECT_EQ(connect_in(a.get(), "192.168.127.1", 8000).error, 0);
}

TEST_F(Port, InsideIsEth0WithItsAddresses) {
  const Fd a = open_netns(make_netns("a")).value();
  ASSERT_OK(attach_veth(spec("a", "192.168.127.100"), a.get()));
  Netlink inside = Netlink::open_in(a.get()).value();
  const auto eth0 = find_link(inside, "eth0").value();
  ASSERT_TRUE(eth0);
  EXPECT_EQ(eth0->mac.text(), "02:53:c0:a8:7f:64");
  EXPECT_TRUE(eth0->flags & IFF_UP);
  const auto outside = find_link(netlink(), port_name("vbr0", "a")).value();
  ASSERT_TRUE(outside);
  EXPECT_EQ(outside->alt_names, std::vector<std::string>{"skerry-a"});
  EXPECT_EQ(outside->master, find_link(netlink(), "vbr0").value()->index);
}

TEST_F(Port, HiddenNeighboursDoNotReachEachOtherButTheHostDoes) {
  const Fd a = open_netns(make_netns("a")).value();
  const Fd b = open_netns(make_netns("b")).value();
  auto spec_a = spec("a", "192.168.127.100");
  auto spec_b = spec("b", "192.168.127.101");
  spec_a.neighbours = spec_b.neighbours = Neighbours::kHidden;
  ASSERT_OK(attach_veth(spec_a, a.get()));
  ASSERT_OK(attach_veth(spec_b, b.get()));
  const Fd in_b = serve_in(b.get(), "192.168.127.101", 80);
  EXPECT_NE(connect_in(a.get(), "192.168.127.101", 80, kUnreachableMs).error, 0);
  EXPECT_EQ(connect_in(host(), "192.168.127.101", 80).error, 0);
}

TEST_F(Port, AttachingAgainReplacesALeftover) {
  const Fd old = open_netns(make_netns("old")).value();
  ASSERT_OK(attach_veth(spec("a", "192.168.127.100"), old.get()));
  const Fd fresh = open_netns(make_netns("fresh")).value();
  ASSERT_OK(attach_veth(spec("a", "192.168.127.100"), fresh.get()));
  EXPECT_FALSE(find_link(*std::make_unique<Netlink>(Netlink::open_in(old.get()).value()), "eth0").value());
  EXPECT_EQ(connect_in(host(), "192.168.127.100", 1).error, ECONNREFUSED);
}

TEST_F(Port, LeftoverOnAnotherBridgeIsReplacedToo) {
  ASSERT_OK(ensure_bridge({"vbr1", Cidr::parse("192.168.128.1/24").value()}));
  const Fd old = open_netns(make_netns("old")).value();
  ASSERT_OK(attach_veth(spec("a", "192.168.127.100"), old.get()));
  const Fd fresh = open_netns(make_netns("fresh")).value();
  auto moved = spec("a", "192.168.128.100");
  moved.bridge = "vbr1";
  moved.gateway = Ipv4::parse("192.168.128.1").value();
  ASSERT_OK(attach_veth(moved, fresh.get()));
  EXPECT_FALSE(find_link(netlink(), port_name("vbr0", "a")).value());
}

TEST_F(Port, FailureLeavesNoDevice) {
  const Fd a = open_netns(make_netns("a")).value();
  ASSERT_OK(attach_veth(spec("first", "192.168.127.100"), a.get()));
  const auto before = list_links(netlink()).value().size();
  const auto second = attach_veth(spec("second", "192.168.127.101"), a.get());  // eth0 is taken
  ASSERT_FALSE(second);
  auto no_bridge = spec("third", "192.168.127.102");
  no_bridge.bridge = "vbr9";
  const auto missing = attach_veth(no_bridge, a.get());
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  const auto bad_id = attach_veth(spec("no spaces", "192.168.127.103"), a.get());
  ASSERT_FALSE(bad_id);
  EXPECT_EQ(bad_id.error().code, ErrorCode::kInvalidArgument);
  auto bad_route = spec("fourth", "192.168.127.104");
  bad_route.gateway = Ipv4::parse("10.1.1.1").value();  // unreachable: the last step fails
  const Fd b = open_netns(make_netns("b")).value();
  ASSERT_FALSE(attach_veth(bad_route, b.get()));
  EXPECT_EQ(list_links(netlink()).value().size(), before);
}

TEST_F(Port, VethGoesWithTheNamespace) {
  const std::string path = make_netns("a");
  {
    const Fd a = open_netns(path).value();
    ASSERT_OK(attach_veth(spec("a", "192.168.127.100"), a.get()));
  }
  ASSERT_OK(remove_netns(path));
  EXPECT_TRUE(vanishes(port_name("vbr0", "a")));
}

TEST_F(Port, DetachIsIdempotentAndNeedsOnlyTheId) {
  const Fd a = open_netns(make_netns("a")).value();
  ASSERT_OK(attach_veth(spec("a", "192.168.127.100"), a.get()));
  ASSERT_OK(detach("a"));
  EXPECT_FALSE(find_link(netlink(), port_name("vbr0", "a")).value());
  ASSERT_OK(detach("a"));
}

TEST_F(Port, TapLivesAsLongAsItsDescriptor) {
  auto attached = attach_tap(spec("vm", "192.168.127.150"));
  ASSERT_OK(attached);
  Fd tap = std::move(*attached);
  const auto link = find_link(netlink(), "skerry-vm").value();
  ASSERT_TRUE(link);
  EXPECT_EQ(link->name, port_name("vbr0", "vm"));
  EXPECT_EQ(link->master, find_link(netlink(), "vbr0").value()->index);
  EXPECT_TRUE(link->flags & IFF_UP);
  ifreq request{};
  ASSERT_EQ(::ioctl(tap.get(), TUNGETIFF, &request), 0);
  EXPECT_TRUE(request.ifr_flags & IFF_VNET_HDR);
  EXPECT_TRUE(request.ifr_flags & IFF_TAP);
  EXPECT_FALSE(static_cast<unsigned short>(request.ifr_flags) & IFF_PERSIST);

  const auto second = attach_tap(spec("vm", "192.168.127.150"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);

  const Fd copy(::dup(tap.get()));  // the VMM's
  tap.reset();
  EXPECT_TRUE(find_link(netlink(), "skerry-vm").value());
}

TEST_F(Port, TapVanishesWithItsLastDescriptorAndComesBack) {
  attach_tap(spec("vm", "192.168.127.150")).value().reset();
  EXPECT_TRUE(vanishes("skerry-vm"));
  EXPECT_TRUE(attach_tap(spec("vm", "192.168.127.150")));
}

// What a VMM writes and reads: a virtio-net header of 10 bytes (all zero: nothing offloaded), then the frame.
TEST_F(Port, FramesCrossTheTap) {
  const auto vm = spec("vm", "192.168.127.150");
  const Fd tap = attach_tap(vm).value();
  constexpr std::size_t kHeader = 10;
  constexpr std::size_t kArp = 14 + 28;
  std::string question(kHeader, '\0');
  const auto put = [&](const auto& bytes) {
    question.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  const auto address = [](Ipv4 ip) {
    std::string bytes;
    for (const unsigned shift : {24U, 16U, 8U, 0U}) bytes += static_cast<char>(ip.value >> shift);
    return bytes;
  };
  question.append(6, '\xFF');                                        // to everybody
  put(vm.mac.octets);                                                // from us
  put(std::string("\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01", 10));  // ARP, Ethernet and IPv4, request
  put(vm.mac.octets);
  put(address(vm.address.address));
  question.append(6, '\0');
  put(address(vm.gateway));
  std::string answer(2048, '\0');
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kReachableMs);
  bool answered = false;
  // Asked again and again, as ARP does: the bridge forwards only once it has noticed that the port is up. Other frames
  // (IGMP, …) may come first.
  while (!answered && std::chrono::steady_clock::now() < deadline) {
    ASSERT_EQ(::write(tap.get(), question.data(), question.size()), static_cast<ssize_t>(kHeader + kArp));
    pollfd wait{tap.get(), POLLIN, 0};
    if (::poll(&wait, 1, 100) != 1) continue;
    const auto got = ::read(tap.get(), answer.data(), answer.size());
    const std::string_view frame = std::string_view(answer).substr(kHeader);
    answered = got >= static_cast<ssize_t>(kHeader + kArp) && frame.substr(12, 2) == std::string_view("\x08\x06", 2) &&
               frame.substr(20, 2) == std::string_view("\x00\x02", 2) && frame.substr(28, 4) == address(vm.gateway);
  }
  EXPECT_TRUE(answered) << "the host did not answer for the gateway's address";
}

}  // namespace
}  // namespace skerry::network
