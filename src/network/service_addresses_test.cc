// Real devices in a network namespace of the test's own: needs root.
#include "network/service_addresses.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/sys_file.h"
#include "base/temp_dir.h"
#include "network/bridge.h"
#include "network/link.h"
#include "network/netns.h"

namespace skerry::network {
namespace {

constexpr const char* kBridge = "vbr0";

class ServiceAddressesTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: network devices";
    auto made =
        create_netns([]() -> Status { return ensure_bridge({kBridge, Cidr::parse("192.168.77.1/24").value()}); });
    ASSERT_TRUE(made) << made.error().message();
    netns_ = std::move(made->netns);
  }

  // As a refresh of the firewall does it.
  Status settle(ServiceAddresses& addresses, const std::set<Ipv4>& wanted) {
    return run_in_netns(netns_.get(), [&]() -> Status {
      TRY(addresses.drop_others(kBridge, wanted));
      return addresses.hold(kBridge, wanted);
    });
  }

  std::set<std::string> there() {
    std::set<std::string> out;
    const auto looked = run_in_netns(netns_.get(), [&]() -> Status {
      auto netlink = TRY(Netlink::open());
      for (const auto& each : TRY(list_addresses(netlink))) {
        if (each.address.prefix == 32) out.insert(each.address.address.text());
      }
      return {};
    });
    EXPECT_TRUE(looked) << looked.error().message();
    return out;
  }

  static Ipv4 ip(const char* text) { return Ipv4::parse(text).value(); }

  Fd netns_;
  TempDir dir_ = TempDir::create("service-addresses").value();
  const std::string file_ = dir_ / "service-addresses";
};

TEST_F(ServiceAddressesTest, EachGoesAloneAndTheLastOneToo) {
  ServiceAddresses addresses(file_);
  std::set<Ipv4> wanted;
  for (const char* each : {"192.168.77.2", "192.168.77.3", "192.168.77.4", "192.168.77.5"}) {
    wanted.insert(ip(each));
    ASSERT_TRUE(settle(addresses, wanted));
  }
  EXPECT_EQ(there().size(), 4U);
  while (!wanted.empty()) {
    wanted.erase(wanted.begin());
    const auto settled = settle(addresses, wanted);
    ASSERT_TRUE(settled) << settled.error().message();
    EXPECT_EQ(there().size(), wanted.size());
  }
  EXPECT_FALSE(sys::exists(file_));
  ASSERT_TRUE(settle(addresses, {}));
}

TEST_F(ServiceAddressesTest, ASuccessorTakesAwayWhatAKilledDaemonHeld) {
  ServiceAddresses killed(file_);
  ASSERT_TRUE(settle(killed, {ip("192.168.77.2"), ip("192.168.77.3"), ip("192.168.77.4")}));
  ServiceAddresses successor(file_);
  ASSERT_TRUE(settle(successor, {ip("192.168.77.3")}));
  EXPECT_EQ(there(), std::set<std::string>{"192.168.77.3"});
}

}  // namespace
}  // namespace skerry::network
