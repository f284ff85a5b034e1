// A microVM on a bridge: booted and forked, reached over its own address.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <set>

#include "core/net.h"
#include "microvm_host.h"
#include "network/bridge.h"
#include "network/link.h"

namespace skerry {
namespace {

using testing::HasSubstr;

class MicrovmNetworkTest : public MicrovmTest, public testing::WithParamInterface<std::size_t> {
 protected:
  void SetUp() override {
    MicrovmTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    network::BridgeSpec bridge;
    bridge.name = "vbr0";
    bridge.address = Cidr::parse("192.168.127.1/24").value();
    ASSERT_OK(network::ensure_bridge(bridge));
  }
  [[nodiscard]] std::size_t most_templates() const override { return GetParam(); }

  Launch& connected(const std::string& name, const std::string& ip) {
    auto& launch = launch_of(name, {"sh", "-c", "exec httpd -f -p 80 -h /srv"});
    const auto mac = MacAddress::for_address(Ipv4::parse(ip).value()).text();
    launch.network = NetworkAttachment{"vbr0", ip, 24, "192.168.127.1", mac, {"192.168.127.1"}};
    return launch;
  }

  static std::string fetch(const std::string& ip) {
    const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in peer{};
    peer.sin_family = AF_INET;
    peer.sin_port = htons(80);
    ::inet_pton(AF_INET, ip.c_str(), &peer.sin_addr);
    // The workload was started, but may not listen yet.
    const MonoTime end = SystemClock().monotonic() + std::chrono::seconds(60);
    while (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&peer), sizeof peer) < 0) {
      if (SystemClock().monotonic() > end) return cat("no connection: ", std::strerror(errno));
      ::poll(nullptr, 0, 10);
    }
    EXPECT_TRUE(sys::write_all(socket.get(), "GET /index.html HTTP/1.0\r\n\r\n"));
    return sys::read_to_end(socket.get(), 65536).value_or("");
  }
};

TEST_P(MicrovmNetworkTest, ServesOnItsAddress) {
  auto& one = connected("one", "192.168.127.100");
  auto& two = connected("two", "192.168.127.101");
  for (auto* launch : {&one, &two}) ASSERT_OK(driver_->start(*launch));
  EXPECT_THAT(fetch("192.168.127.100"), HasSubstr("a page of ours"));
  EXPECT_THAT(fetch("192.168.127.101"), HasSubstr("a page of ours"));
  for (auto* launch : {&one, &two}) {
    const auto address = exec(*launch, {"ip", "addr"}).out;
    EXPECT_THAT(address, HasSubstr(launch->network->mac));
    EXPECT_THAT(address, HasSubstr(launch->network->ip + "/24"));
    EXPECT_THAT(exec(*launch, {"ip", "route"}).out, HasSubstr("default via 192.168.127.1"));
    EXPECT_EQ(exec(*launch, {"cat", "/etc/resolv.conf"}).out, "nameserver 192.168.127.1\n");
  }
  // From one guest to the other.
  EXPECT_THAT(exec(one, {"wget", "-qO-", "http://192.168.127.101/"}).out, HasSubstr("a page of ours"));
  ASSERT_OK(driver_->stop(one.place, {0}));
  ASSERT_OK(driver_->collect(one.place, Kind::kApp));
  auto netlink = network::Netlink::open();
  ASSERT_OK(netlink);
  const auto links = network::list_links(*netlink);
  ASSERT_OK(links);
  for (const auto& link : *links) {
    EXPECT_THAT(link.alt_names, testing::Not(testing::Contains(HasSubstr(one.place.id)))) << link.name;
  }
}

// Made for an address that is nobody's; each has its own when it is taken.
class PreparedNetworkTest : public MicrovmNetworkTest {};

TEST_P(PreparedNetworkTest, WhatIsTakenServesOnItsAddress) {
  std::vector<Launch*> all;
  for (const auto mode : {WarmMode::kParked, WarmMode::kWarmed, WarmMode::kWarmed}) {
    auto& launch = connected(cat("guest-", all.size()), cat("192.168.127.10", all.size()));
    Launch nobody = launch;
    nobody.network->ip = "192.168.127.99";
    nobody.network->mac = MacAddress::for_address(Ipv4::parse("192.168.127.99").value()).text();
    ASSERT_OK(driver_->prepare(nobody, mode));
    all.push_back(&launch);
  }
  for (auto* launch : all) ASSERT_OK(driver_->start(*launch));
  for (auto* launch : all) {
    EXPECT_THAT(fetch(launch->network->ip), HasSubstr("a page of ours"));
    const auto address = exec(*launch, {"ip", "addr"}).out;
    EXPECT_THAT(address, HasSubstr(launch->network->mac));
    EXPECT_THAT(address, HasSubstr(launch->network->ip + "/24"));
    EXPECT_THAT(address, testing::Not(HasSubstr("192.0.2.")));
    const auto routes = exec(*launch, {"ip", "route"}).out;
    EXPECT_THAT(routes, HasSubstr("default via 192.168.127.1"));
    EXPECT_THAT(routes, testing::Not(HasSubstr("192.0.2.")));
  }
}

INSTANTIATE_TEST_SUITE_P(Forked, PreparedNetworkTest, testing::Values(2));
INSTANTIATE_TEST_SUITE_P(BootedAndForked, MicrovmNetworkTest, testing::Values(0, 2));

}  // namespace
}  // namespace skerry
