#include "core/net_policy.h"

#include <gtest/gtest.h>

#include <memory>

#include "base/text.h"
#include "core/crossings.h"

namespace skerry {
namespace {

Policy parse(const std::string& text) { return Policy::parse({{"10", text, {}}}); }

class NetPolicyTest : public ::testing::Test {
 protected:
  NetPolicyTest() {
    zones_.resize(3);
    zones_[1].name = "work";
    zones_[2].name = "vault";
    zones_[2].egress = Egress::kNone;
    add("a", "work", "10.0.1.1");
    add("b", "work", "10.0.1.2");
    add("c", "vault", "10.0.2.1");
    add("stopped", "vault", "");
  }
  void add(const std::string& name, const std::string& zone, const std::string& ip, State state = State::kRunning,
           const std::map<std::string, std::string>& labels = {}) {
    Environment out;
    out.status.state = state;
    out.spec.labels = labels;
    out.spec.name = name;
    out.spec.zone = zone;
    out.ip = ip;
    environments_.push_back(std::make_shared<const Environment>(out));
  }
  static std::string text(const std::vector<Passage>& passages) {
    std::string out;
    for (const auto& each : passages) {
      out += cat(out.empty() ? "" : ", ", each.source.text(), ">", each.target ? each.target->text() : "out");
      if (each.port) out += cat(":", to_text(each.port->protocol), each.port->number);
    }
    return out;
  }
  std::string of(const std::string& rules) {
    const auto said = net_policy(parse(rules), environments_, zones_);
    return said ? cat("+ ", text(said->allowed), " - ", text(said->denied)) : said.error().message();
  }

  std::vector<Zone> zones_;
  EnvironmentViews environments_;
};

TEST_F(NetPolicyTest, WithoutRulesNothing) {
  EXPECT_EQ(of(""), "+  - ");
  EXPECT_EQ(of("clipboard.copy * a c allow"), "+  - ");
}

TEST_F(NetPolicyTest, OnePortOneWay) {
  EXPECT_EQ(of("net.connect +tcp:80 a c allow"), "+ 10.0.1.1>10.0.2.1:tcp80 - ");
  EXPECT_EQ(of("net.connect +udp:53 @zone:work @any allow"), "+ 10.0.1.1>10.0.2.1:udp53, 10.0.1.2>10.0.2.1:udp53 - ");
}

TEST_F(NetPolicyTest, WithinAZoneRulesSayNothing) { EXPECT_EQ(of("net.connect * a b allow"), "+  - "); }

TEST_F(NetPolicyTest, AllPortsButSome) {
  EXPECT_EQ(of("net.connect +tcp:22 a c deny\nnet.connect * a c allow"),
            "+ 10.0.1.1>10.0.2.1 - 10.0.1.1>10.0.2.1:tcp22");
  EXPECT_EQ(of("net.connect * a c allow\nnet.connect +tcp:22 a c deny"), "+ 10.0.1.1>10.0.2.1 - ");
}

TEST_F(NetPolicyTest, AskingAndSendingElsewhereOpenNothing) {
  EXPECT_EQ(of("net.connect * a c ask"), "+  - ");
  EXPECT_EQ(of("net.connect * a c allow target=b\nnet.connect * a b allow"), "+  - ");
  EXPECT_EQ(of("net.connect * a @host allow\nnet.connect * @host c allow\nnet.connect * a @dispvm allow"), "+  - ");
  EXPECT_EQ(of("net.connect +tcp:80 a @any allow target=c"), "+ 10.0.1.1>10.0.2.1:tcp80 - ") << "c is where it goes";
}

TEST_F(NetPolicyTest, EgressIsWhatTheZoneSaysButForRules) {
  EXPECT_EQ(of("net.egress +tcp:443 c @any allow"), "+ 10.0.2.1>out:tcp443 - ");
  EXPECT_EQ(of("net.egress +tcp:443 @any @any allow"), "+ 10.0.2.1>out:tcp443 - ") << "others have it already";
  EXPECT_EQ(of("net.egress +tcp:25 @any @any deny"), "+  - 10.0.1.1>out:tcp25, 10.0.1.2>out:tcp25");
  EXPECT_EQ(of("net.egress +tcp:443 a @any allow\nnet.egress * a @any deny"), "+ 10.0.1.1>out:tcp443 - 10.0.1.1>out");
  EXPECT_EQ(of("net.egress * c @any allow"), "+ 10.0.2.1>out - ");
}

TEST_F(NetPolicyTest, MalformedNothingLeavesOrCrosses) {
  EXPECT_EQ(of("net.connect * a c allow\nnonsense"), "+  - 10.0.1.1>out, 10.0.1.2>out");
}

TEST_F(NetPolicyTest, ThereIsABound) {
  for (int i = 0; i < 300; ++i) {
    add(cat("w", i), "work", cat("10.1.", i / 200, ".", i % 200 + 1));
    add(cat("v", i), "vault", cat("10.2.", i / 200, ".", i % 200 + 1));
  }
  EXPECT_EQ(of("net.connect * @zone:work @zone:vault allow"), "+  - ");
  EXPECT_EQ(closed_net_policy(environments_).denied.size(), 603U);
}

// One tenant of work runs many, and everybody may reach the vault: it is work's crossing that is closed, not others'.
TEST_F(NetPolicyTest, WhoRunsTooManyClosesOnlyItsOwnCrossing) {
  zones_.resize(4);
  zones_[3].name = "home";
  add("h", "home", "10.0.3.1");
  for (int i = 0; i < 300; ++i) {
    add(cat("w", i), "work", cat("10.1.", i / 200, ".", i % 200 + 1));
    if (i < 240) add(cat("v", i), "vault", cat("10.2.0.", i + 1));
  }
  const auto policy = parse(
      "net.connect +tcp:5432 @any @zone:vault allow\nnet.connect +tcp:80 h a allow\n"
      "net.egress +tcp:25 h @any deny");
  const auto bounded = bounded_net_policy(policy, environments_, zones_).value();
  EXPECT_EQ(bounded.closed, (std::vector<Crossing>{{"work", "vault", 302U * 241U}}));
  EXPECT_EQ(bounded.policy.allowed.size(), 241U + 1U) << "home reaches the vault, and a";
  EXPECT_EQ(text(bounded.policy.denied), "10.0.3.1>out:tcp25");
  const PolicyLookup none = [](const std::string&) { return std::nullopt; };
  const auto explained = [&](std::size_t from, const char* port) {
    const PolicyRequest asked{"net.connect", port, PolicyParty::of(environments_[from]->spec),
                              PolicyParty::of(environments_[2]->spec)};
    return decide_in_bounds(decide_with_zones(policy, asked, zones_, none), asked, bounded.closed);
  };
  EXPECT_EQ(explained(0, "tcp:5432").answer, PolicyAnswer::kDeny);
  EXPECT_NE(explained(0, "tcp:5432").reason.find("from zone \"work\" to zone \"vault\" (72782 passages)"),
            std::string::npos)
      << explained(0, "tcp:5432").reason;
  EXPECT_EQ(explained(4, "tcp:5432").answer, PolicyAnswer::kAllow) << "home's";
}

// A zone with egress that needs too many exceptions loses its egress, and nobody else does.
TEST_F(NetPolicyTest, TooManyExceptionsCloseTheZonesOwnEgress) {
  std::string rules = "net.egress +tcp:443 c @any allow\n";
  for (int port = 1; port <= 300; ++port) rules += cat("net.egress +tcp:", port, " @zone:work @any deny\n");
  for (int i = 0; i < 300; ++i) add(cat("w", i), "work", cat("10.1.", i / 200, ".", i % 200 + 1));
  const auto bounded = bounded_net_policy(parse(rules), environments_, zones_).value();
  EXPECT_EQ(bounded.closed, (std::vector<Crossing>{{"work", "", 302U * 300U}}));
  EXPECT_EQ(text(bounded.policy.allowed), "10.0.2.1>out:tcp443");
  EXPECT_EQ(bounded.policy.denied.size(), 302U) << "everything, of each";
}

// One who makes environments and does not run them takes nothing from the others.
TEST_F(NetPolicyTest, WhatDoesNotRunDoesNotCount) {
  for (int i = 0; i < 300; ++i) {
    add(cat("w", i), "work", cat("10.1.", i / 200, ".", i % 200 + 1), State::kCreated);
    add(cat("v", i), "vault", cat("10.2.", i / 200, ".", i % 200 + 1), i % 2 == 0 ? State::kStopped : State::kFailed);
  }
  EXPECT_EQ(of("net.connect * @zone:work @zone:vault allow"), "+ 10.0.1.1>10.0.2.1, 10.0.1.2>10.0.2.1 - ");
}

// A start that failed a moment ago may still send.
TEST_F(NetPolicyTest, WhatIsDeniedStaysDeniedToWhatHasRun) {
  environments_.clear();
  add("made", "work", "10.0.1.3", State::kCreated);
  add("failed", "work", "10.0.1.4", State::kFailed);
  add("going", "work", "10.0.1.5", State::kDeleting);
  EXPECT_EQ(of("net.egress * @zone:work @any deny"), "+  - 10.0.1.4>out, 10.0.1.5>out");
}

// Labels are their owner's to choose: those that no rule names make no groups, and none looks like another.
TEST_F(NetPolicyTest, LabelsMergeNoGroupsAndMakeNone) {
  add("d", "work", "10.0.1.3", State::kRunning, {{"a", "1\nb=2"}});
  add("e", "work", "10.0.1.4", State::kRunning, {{"a", "1"}, {"b", "2"}});
  add("f", "work", "10.0.1.5", State::kRunning, {{"b", "3"}});
  EXPECT_EQ(of("net.connect +tcp:1 @tag:b=2 c allow"), "+ 10.0.1.4>10.0.2.1:tcp1 - ");
  EXPECT_EQ(of("net.connect +tcp:1 @tag:b c allow"), "+ 10.0.1.4>10.0.2.1:tcp1, 10.0.1.5>10.0.2.1:tcp1 - ");
}

// A name is whoever's who takes it first; with its zone it is one of that zone's.
TEST_F(NetPolicyTest, ANameWithItsZone) {
  EXPECT_EQ(of("net.connect +tcp:1 work/a vault/c allow"), "+ 10.0.1.1>10.0.2.1:tcp1 - ");
  EXPECT_EQ(of("net.connect +tcp:1 vault/a vault/c allow"), "+  - ");
}

TEST_F(NetPolicyTest, ExplainedWithZones) {
  const auto ask = [&](const std::string& rules, const char* service, const PolicyParty& from, const PolicyParty& to) {
    return decide_with_zones(parse(rules), {service, "tcp:80", from, to}, zones_,
                             [](const std::string&) { return std::optional<PolicyParty>(); });
  };
  const auto a = PolicyParty::of(environments_[0]->spec);
  const auto b = PolicyParty::of(environments_[1]->spec);
  const auto c = PolicyParty::of(environments_[2]->spec);
  EXPECT_EQ(ask("", "net.connect", a, b).answer, PolicyAnswer::kAllow);
  EXPECT_EQ(ask("net.connect * a b deny", "net.connect", a, b).answer, PolicyAnswer::kAllow) << "nobody asks the rules";
  zones_[1].isolated = true;
  EXPECT_EQ(ask("", "net.connect", a, b).answer, PolicyAnswer::kDeny);
  EXPECT_EQ(ask("", "net.connect", a, c).answer, PolicyAnswer::kDeny);
  EXPECT_EQ(ask("", "net.egress", a, PolicyParty::outside()).answer, PolicyAnswer::kAllow);
  EXPECT_EQ(ask("", "net.egress", c, PolicyParty::outside()).answer, PolicyAnswer::kDeny);
  EXPECT_EQ(ask("net.egress +tcp:80 a @any deny", "net.egress", a, PolicyParty::outside()).answer, PolicyAnswer::kDeny);
  EXPECT_EQ(ask("", "rpc", a, b).answer, PolicyAnswer::kDeny) << "within a zone, too";
}

}  // namespace
}  // namespace skerry
