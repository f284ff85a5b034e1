#include "network/residue.h"

#include "base/sys_file.h"
#include "network/bridge.h"
#include "network/port.h"
#include "network/testing.h"

namespace skerry::network {
namespace {

class Residue : public PrivateHost {
 protected:
  PortSpec spec(const std::string& bridge, const std::string& id, std::uint32_t host) {
    PortSpec out{bridge, id, gateway_, gateway_.address, {}, Neighbours::kVisible};
    out.address.address.value += host;
    out.mac = MacAddress::for_address(out.address.address);
    return out;
  }
  const Cidr gateway_ = Cidr::parse("192.168.127.1/24").value();
};

TEST_F(Residue, OnlyWhatNobodyOwnsIsRemoved) {
  ASSERT_OK(ensure_bridge({"vbr0", gateway_}));
  ASSERT_OK(ensure_bridge({"vbr1", Cidr::parse("192.168.128.1/24").value()}));
  const Fd live = open_netns(make_netns("live")).value();
  const Fd dead = open_netns(make_netns("dead")).value();
  const Fd other = open_netns(make_netns("other")).value();
  ASSERT_OK(attach_veth(spec("vbr0", "live", 100), live.get()));
  ASSERT_OK(attach_veth(spec("vbr0", "dead", 101), dead.get()));
  ASSERT_OK(attach_veth(spec("vbr1", "other", 102), other.get()));
  const auto tap = attach_tap(spec("vbr0", "dead-vm", 103));
  ASSERT_OK(tap);
  EXPECT_EQ(list_ours("vbr0").value().size(), 3U);

  ASSERT_OK(remove_stale("vbr0", {"live"}));
  EXPECT_EQ(list_ours("vbr0").value(), std::vector<std::string>{port_name("vbr0", "live")});
  EXPECT_EQ(list_ours("vbr1").value(), std::vector<std::string>{port_name("vbr1", "other")}) << "another daemon's";
  ASSERT_OK(remove_stale("vbr0", {"live"}));
  ASSERT_OK(remove_stale("vbr9", {}));
}

TEST_F(Residue, NamespaceFilesOfTheDeadGo) {
  const auto live = make_netns("live");
  const auto dead = make_netns("dead");
  ASSERT_OK(remove_stale_netns(temp().path(), {"live"}));
  EXPECT_TRUE(sys::exists(live));
  EXPECT_FALSE(sys::exists(dead));
  ASSERT_OK(remove_stale_netns(temp() / "missing", {}));
}

}  // namespace
}  // namespace skerry::network
