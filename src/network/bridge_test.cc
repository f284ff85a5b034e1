#include "network/bridge.h"

#include <linux/rtnetlink.h>
#include <net/if.h>

#include "base/file_io.h"
#include "network/port.h"
#include "network/testing.h"

namespace skerry::network {
namespace {

class Bridge : public PrivateHost {
 protected:
  BridgeSpec spec_{"vbr0", Cidr::parse("192.168.127.1/24").value()};

  void make_dummy(const std::string& name, const std::string& kind) {
    NetlinkMessage message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    message.header<ifinfomsg>();
    message.put_text(IFLA_IFNAME, name);
    message.nest(IFLA_LINKINFO, [&] { message.put_text(IFLA_INFO_KIND, kind); });
    ASSERT_OK(netlink().request(message, "make a device"));
  }
  std::string sysctl(const std::string& name) {
    return std::string(trim(read_file("/proc/sys/net/ipv4/" + name).value()));
  }
};

TEST_F(Bridge, IsMadeUpAddressedAndForwards) {
  ASSERT_OK(ensure_bridge(spec_));
  const auto link = find_link(netlink(), "vbr0").value();
  ASSERT_TRUE(link);
  EXPECT_EQ(link->kind, "bridge");
  EXPECT_TRUE(link->flags & IFF_UP);
  EXPECT_EQ(link->mac, MacAddress::for_address(spec_.address.address));
  const auto addresses = list_addresses(netlink()).value();
  EXPECT_EQ(std::ranges::count_if(addresses, [&](const auto& a) { return a.address == spec_.address; }), 1);
  EXPECT_EQ(sysctl("ip_forward"), "1");
  EXPECT_EQ(sysctl("conf/vbr0/route_localnet"), "1");
}

TEST_F(Bridge, IsSafeToRepeatAndAdoptsWhatIsThere) {
  make_dummy("vbr0", "bridge");
  const int index = find_link(netlink(), "vbr0").value()->index;
  ASSERT_OK(add_address(netlink(), index, Cidr::parse("10.7.7.7/24").value()));
  ASSERT_OK(ensure_bridge(spec_));
  ASSERT_OK(ensure_bridge(spec_));
  EXPECT_EQ(find_link(netlink(), "vbr0").value()->index, index);
  EXPECT_EQ(
      std::ranges::count_if(list_addresses(netlink()).value(), [&](const auto& a) { return a.link_index == index; }),
      2);
}

TEST_F(Bridge, RefusesADeviceOfAnotherKind) {
  make_dummy("vbr0", "veth");
  const auto status = ensure_bridge(spec_);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kConflict);
  EXPECT_EQ(find_link(netlink(), "vbr0").value()->kind, "veth");
}

TEST_F(Bridge, RefusesASubnetTheHostIsAlreadyIn) {
  make_dummy("lan0", "veth");
  ASSERT_OK(add_address(netlink(), find_link(netlink(), "lan0").value()->index, Cidr::parse("192.168.0.9/16").value()));
  const auto status = ensure_bridge(spec_);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kConflict);
  EXPECT_NE(status.error().message().find("192.168.0.9/16"), std::string::npos) << status.error().message();
  EXPECT_FALSE(find_link(netlink(), "vbr0").value());
}

TEST_F(Bridge, RefusesBadNames) {
  for (const auto* name : {"", "sixteen-letters-", "a/b", "a b", "..", "a\"b"}) {
    spec_.name = name;
    const auto status = ensure_bridge(spec_);
    ASSERT_FALSE(status) << name;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST_F(Bridge, RemovalIsIdempotentAndSparesForeignPorts) {
  ASSERT_OK(remove_bridge("vbr0"));
  ASSERT_OK(ensure_bridge(spec_));
  make_dummy("foreign0", "veth");
  NetlinkMessage enslave(RTM_NEWLINK, 0);
  enslave.header<ifinfomsg>().ifi_index = find_link(netlink(), "foreign0").value()->index;
  enslave.put_u32(IFLA_MASTER, static_cast<std::uint32_t>(find_link(netlink(), "vbr0").value()->index));
  ASSERT_OK(netlink().request(enslave, "enslave"));
  const auto status = remove_bridge("vbr0");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kConflict);
  ASSERT_OK(delete_link(netlink(), "foreign0"));
  ASSERT_OK(remove_bridge("vbr0"));
  EXPECT_FALSE(find_link(netlink(), "vbr0").value());
}

}  // namespace
}  // namespace skerry::network
