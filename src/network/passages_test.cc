// Passages at work in the kernel: what is allowed passes, nothing else, and what is closed is closed at once.
#include "network/passages.h"

#include <gtest/gtest.h>

#include "network/rules_testing.h"

namespace skerry::network {
namespace {

Passage passage(const char* source, const char* target, std::optional<Passage::Port> port) {
  Passage out{Ipv4::parse(source).value(), std::nullopt, port};
  if (target != nullptr) out.target = Ipv4::parse(target).value();
  return out;
}
constexpr Passage::Port kWeb{Protocol::kTcp, 80};

TEST(PassageCommands, LoadTheDifference) {
  NetPolicy before;
  before.allowed = {passage("10.0.0.1", "10.0.1.1", kWeb)};
  NetPolicy after;
  after.allowed = {passage("10.0.0.2", "10.0.1.1", std::nullopt)};
  after.denied = {passage("10.0.0.2", nullptr, Passage::Port{Protocol::kUdp, 53})};
  EXPECT_EQ(passage_commands("t", before, before), "");
  EXPECT_EQ(passage_commands("t", before, after),
            "delete element inet t cross_port_allowed { 10.0.0.1 . 10.0.1.1 . tcp . 80 }\n"
            "add element inet t cross_all_allowed { 10.0.0.2 . 10.0.1.1 }\n"
            "add element inet t leave_port_denied { 10.0.0.2 . udp . 53 }\n");
}

TEST_F(RulesHost, TheKernelTakesEveryPassage) {
  NetPolicy policy;
  for (const auto* target : {"192.168.127.101", static_cast<const char*>(nullptr)}) {
    policy.allowed.push_back(passage("192.168.127.100", target, kWeb));
    policy.allowed.push_back(passage("192.168.127.100", target, std::nullopt));
    policy.denied.push_back(passage("192.168.127.100", target, Passage::Port{Protocol::kUdp, 53}));
  }
  policy.denied.push_back(passage("192.168.127.100", nullptr, std::nullopt));
  std::ranges::sort(policy.allowed);
  std::ranges::sort(policy.denied);
  auto with = state_;
  with.policy = policy;
  const auto change = render_change(state_, with);
  ASSERT_OK(change);
  ASSERT_OK(nft_->apply(*change));
  const auto listed = nft_->list("skerry-test");
  ASSERT_OK(listed);
  EXPECT_NE(listed->find("192.168.127.100 . 192.168.127.101 . tcp . 80"), std::string::npos) << *listed;
  const auto back = render_change(with, state_);
  ASSERT_OK(back);
  ASSERT_OK(nft_->apply(*back));
  EXPECT_EQ(nft_->list("skerry-test")->find("192.168.127.101 . tcp"), std::string::npos);
}

}  // namespace
}  // namespace skerry::network
