#include "control/host_network.h"

#include <gtest/gtest.h>

#include <memory>

#include "core/net.h"
#include "network/nftables.h"
#include "network/testing.h"

namespace skerry {
namespace {

constexpr const char* kTable = "skerry-test";

EnvironmentView environment(const std::string& name, const std::string& zone, const std::string& ip, State state,
                            const std::string& port) {
  Environment out;
  out.id = cat("0123456789abcde", name.back());
  out.ip = ip;
  out.spec.name = name;
  out.spec.zone = zone;
  if (!port.empty()) out.spec.ports.push_back(parse_published_port(port).value());
  out.status.state = state;
  return std::make_shared<const Environment>(std::move(out));
}

class HostNetworkTest : public network::PrivateHost {
 protected:
  void SetUp() override {
    PrivateHost::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    network_ = make_host_network(kTable, temp().path()).value();
    Zone mine;
    mine.name = "mine";
    mine.bridge = "mine0";
    Zone theirs;
    theirs.name = "theirs";
    theirs.bridge = "theirs0";
    const auto broken = network_->open(
        {zone_for_subnet(mine, "10.71.1.0/24").value(), zone_for_subnet(theirs, "10.71.2.0/24").value()});
    ASSERT_TRUE(broken) << broken.error().message();
    ASSERT_TRUE(broken->empty());
  }

  Status apply(const EnvironmentViews& environments) { return network_->apply(environments, {}, {}); }
  static bool publishes(const std::string& rule) {
    return network::Nftables::open().value()->list(kTable)->find(rule) != std::string::npos;
  }

  std::unique_ptr<Network> network_;
};

constexpr const char* kOfWeb1 = "80 : 10.71.1.101 . 8080";
constexpr const char* kOfWeb2 = "80 : 10.71.2.102 . 8080";

// Whoever may make environments could else stop those of all others from starting, again and again.
TEST_F(HostNetworkTest, WhoWantsATakenPortHoldsUpNobody) {
  const auto owner = environment("web1", "mine", "10.71.1.101", State::kRunning, "80:8080");
  const auto late = environment("web2", "theirs", "10.71.2.102", State::kStarting, "80:8080");
  const auto other = environment("web3", "theirs", "10.71.2.103", State::kStarting, "");
  for (const auto& environments : {EnvironmentViews{owner, late, other}, EnvironmentViews{late, owner, other}}) {
    const auto applied = apply(environments);
    ASSERT_TRUE(applied) << applied.error().message();
    EXPECT_TRUE(publishes(kOfWeb1));
    EXPECT_FALSE(publishes(kOfWeb2));
    EXPECT_TRUE(publishes("10.71.2.103")) << "the third one is let through";
  }
}

// Nothing about the one that starts has changed but what the other one does.
TEST_F(HostNetworkTest, APortIsThereForWhoStartsAsSoonAsItIsFree) {
  const auto owner = environment("web1", "mine", "10.71.1.101", State::kRunning, "80:8080");
  const auto gone = environment("web1", "mine", "10.71.1.101", State::kStopped, "80:8080");
  const auto late = environment("web2", "theirs", "10.71.2.102", State::kStarting, "80:8080");
  ASSERT_TRUE(apply({owner, late}));
  ASSERT_TRUE(apply({gone, late}));
  EXPECT_FALSE(publishes(kOfWeb1));
  EXPECT_TRUE(publishes(kOfWeb2));
  // Of two that start neither has it, until one has given up.
  const auto again = environment("web1", "mine", "10.71.1.101", State::kStarting, "80:8080");
  ASSERT_TRUE(apply({again, late}));
  EXPECT_FALSE(publishes(kOfWeb1));
  EXPECT_FALSE(publishes(kOfWeb2));
  ASSERT_TRUE(apply({gone, late}));
  EXPECT_TRUE(publishes(kOfWeb2));
}

}  // namespace
}  // namespace skerry
