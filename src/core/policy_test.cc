#include "core/policy.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace skerry {
namespace {

Policy parse(const std::string& text) { return Policy::parse({{"10-test", text, {}}}); }

PolicyParty environment(const std::string& name, const std::string& zone = "default") {
  PolicyParty out;
  out.name = name;
  out.zone = zone;
  return out;
}

std::optional<PolicyParty> no_lookup(const std::string&) { return std::nullopt; }

PolicyDecision decide(const Policy& policy, const PolicyParty& source, const PolicyParty& target,
                      const std::string& service = "net.connect", std::optional<std::string> argument = "tcp:80") {
  return policy.decide({service, std::move(argument), source, target}, no_lookup);
}

std::string answer(const std::string& rules, const PolicyParty& source, const PolicyParty& target,
                   const std::string& service = "net.connect", std::optional<std::string> argument = "tcp:80") {
  return std::string(to_text(decide(parse(rules), source, target, service, std::move(argument)).answer));
}

const PolicyParty kA = environment("a", "work");
const PolicyParty kB = environment("b", "web");

TEST(PolicyDecision, NothingIsAllowedWithoutARule) {
  EXPECT_EQ(answer("", kA, kB), "deny");
  EXPECT_EQ(answer("# net.connect * @any @any allow\n\n   \t\n", kA, kB), "deny");
  EXPECT_EQ(decide(Policy(), kA, kB).reason, "no rule matches");
}

TEST(PolicyDecision, TheFirstMatchDecides) {
  const std::string rules = "net.connect +tcp:80 a b deny\nnet.connect * @any @any allow\n";
  EXPECT_EQ(answer(rules, kA, kB), "deny");
  EXPECT_EQ(answer(rules, kB, kA), "allow");
  EXPECT_EQ(answer(rules, kA, kB, "net.connect", "tcp:81"), "allow");
  EXPECT_EQ(answer("net.connect * @any @any allow\nnet.connect +tcp:80 a b deny\n", kA, kB), "allow");
}

TEST(PolicyDecision, FilesAreReadInTheOrderOfTheirBytes) {
  const auto policy = Policy::parse({{"b", "net.connect * a b allow", {}},
                                     {"a10", "net.connect * a b ask", {}},
                                     {"a9", "net.connect * a b allow", {}},
                                     {"Z", "net.connect * a b deny", {}}});
  EXPECT_EQ(policy.files(), (std::vector<std::string>{"Z", "a10", "a9", "b"}));
  EXPECT_EQ(decide(policy, kA, kB).answer, PolicyAnswer::kDeny) << "capitals come first";
}

TEST(PolicyDecision, PatternsSpeakOfWhatTheySay) {
  auto tagged = environment("t", "work");
  tagged.labels = {{"bank", ""}, {"team", "red"}};
  auto throwaway = environment("x", "work");
  throwaway.life = Kind::kDisposable;
  auto machine = environment("m", "work");
  machine.isolation = Isolation::kVm;
  const auto host = PolicyParty::host();
  const auto fresh = PolicyParty::new_disposable();
  struct Case {
    const char* pattern;
    std::vector<PolicyParty> yes;
    std::vector<PolicyParty> no;
  };
  const Case cases[] = {
      {"a", {kA}, {kB, host, fresh}},
      {"@zone:work", {kA, tagged, machine}, {kB, host, fresh}},
      {"@kind:disposable", {throwaway, fresh}, {kA, host}},
      {"@kind:app", {kA, kB}, {throwaway, fresh, host}},
      {"@isolation:vm", {machine}, {kA, fresh, host}},
      {"@isolation:container", {kA}, {machine, fresh}},
      {"@tag:bank", {tagged}, {kA, host}},
      {"@tag:team=red", {tagged}, {kA}},
      {"@tag:team=blue", {}, {tagged, kA}},
      {"@tag:red", {}, {tagged}},
      {"@any", {kA, kB, fresh}, {host}},
      {"@dispvm", {fresh}, {kA, throwaway, host}},
      {"@host", {host}, {kA, fresh}},
  };
  for (const auto& [pattern, yes, no] : cases) {
    const auto rule = cat("rpc * @any ", pattern, " allow");
    for (const auto& each : yes) EXPECT_EQ(answer(rule, kB, each, "rpc", "x"), "allow") << pattern << " " << each.name;
    for (const auto& each : no) EXPECT_EQ(answer(rule, kB, each, "rpc", "x"), "deny") << pattern << " " << each.name;
  }
}

TEST(PolicyDecision, ArgumentsMatchAsAWhole) {
  const std::string rules = "net.connect +tcp:80 a b allow\n";
  EXPECT_EQ(answer(rules, kA, kB, "net.connect", "tcp:80"), "allow");
  EXPECT_EQ(answer(rules, kA, kB, "net.connect", "tcp:8080"), "deny");
  EXPECT_EQ(answer(rules, kA, kB, "net.connect", "udp:80"), "deny");
  EXPECT_EQ(answer(rules, kA, kB, "net.connect", std::nullopt), "deny") << "any port is more than one port";
  EXPECT_EQ(answer(rules, kA, kB, "net.egress", "tcp:80"), "deny");
}

TEST(PolicyDecision, AsksAndTellsOfUsersAndNotices) {
  const auto said = decide(parse("rpc +backup a b ask user=me notify=yes"), kA, kB, "rpc", "backup");
  EXPECT_EQ(said.answer, PolicyAnswer::kAsk);
  EXPECT_EQ(said.user, "me");
  EXPECT_TRUE(said.notify);
  EXPECT_EQ(said.target, "b");
}

TEST(PolicyDecision, RedirectionsAreDecidedAgain) {
  const auto lookup = [](const std::string& name) -> std::optional<PolicyParty> {
    if (name == "gone") return std::nullopt;
    return environment(name, "web");
  };
  const auto ask = [&](const std::string& rules) {
    return parse(rules).decide({"open.url", std::nullopt, kA, kB}, lookup);
  };
  EXPECT_EQ(ask("open.url * a b allow target=c").answer, PolicyAnswer::kDeny) << "nothing allows c";
  const auto sent = ask("open.url * a b allow target=c\nopen.url * a c ask\n");
  EXPECT_EQ(sent.answer, PolicyAnswer::kAsk);
  EXPECT_EQ(sent.target, "c");
  EXPECT_EQ(*sent.rule, 1U);
  EXPECT_EQ(ask("open.url * a @any allow target=c").answer, PolicyAnswer::kAllow) << "it has arrived";
  EXPECT_EQ(ask("open.url * a b allow target=@dispvm\nopen.url * a @dispvm allow").target, "@dispvm");
  EXPECT_EQ(ask("open.url * a b allow target=c\nopen.url * a c allow target=b").reason, "rules send it on and on");
  EXPECT_NE(ask("open.url * a b allow target=gone").reason.find("does not exist"), std::string::npos);
  EXPECT_EQ(ask("open.url * a b allow target=c\nopen.url * a c deny\n").answer, PolicyAnswer::kDeny);
}

TEST(PolicyDecision, StepsSayWhyNotBefore) {
  const auto said = decide(parse("net.egress * a @any allow\nnet.connect +tcp:1 a b deny\nnet.connect * b b deny\n"
                                 "net.connect * a a deny\nnet.connect * a b allow\nnet.connect * a b deny\n"),
                           kA, kB);
  std::vector<std::string> why;
  for (const auto& each : said.steps) why.push_back(each.why);
  EXPECT_EQ(why,
            (std::vector<std::string>{"another service", "another argument", "another source", "another target", ""}));
  EXPECT_EQ(*said.rule, 4U);
}

TEST(PolicyDecision, AMalformedFileAllowsNothing) {
  const auto policy = Policy::parse({{"10-deny", "net.connect +tcp:22 a b deny", {}},
                                     {"20-bad", "net.connect * a b allow\nnonsense\nnet.connect * b a allow\n", {}},
                                     {"30-allow", "net.connect * @any @any allow", {}}});
  EXPECT_EQ(decide(policy, kA, kB).answer, PolicyAnswer::kDeny);
  EXPECT_NE(decide(policy, kA, kB).reason.find("20-bad:2:9: "), std::string::npos) << decide(policy, kA, kB).reason;
  const auto denied = decide(policy, kA, kB, "net.connect", "tcp:22");
  EXPECT_EQ(denied.reason, "a rule denies it");
  EXPECT_EQ(policy.rules().at(*denied.rule).file, "10-deny");
  EXPECT_EQ(policy.rules().size(), 2U) << "no rule of the malformed one counts";
}

TEST(PolicyParse, RulesComeBackAsTheyWereWritten) {
  const std::string rules[] = {
      "net.connect +tcp:5432 @zone:web db allow",
      "net.egress +udp:53 @kind:disposable @any allow notify=yes",
      "clipboard.copy * work-mail @any ask",
      "device.usb +046d:c52b @host @isolation:vm allow",
      "device.pci +0000:03:00.0 @host m deny",
      "share.mount +/srv/data @tag:backup @host allow",
      "rpc +git.push a @tag:team=red allow target=b user=git",
      "open.url * @any @dispvm allow",
      "file.copy * @host a deny",
  };
  for (const auto& rule : rules) {
    const auto policy = parse(rule);
    ASSERT_EQ(policy.rules().size(), 1U) << rule << ": "
                                         << (policy.problems().empty() ? "" : policy.problems()[0].what);
    EXPECT_EQ(to_text(policy.rules()[0]), rule);
  }
}

TEST(PolicyParse, SpacesCommentsAndLineEnds) {
  const auto policy = parse("\t net.connect\t*   a b\tallow # why \xe2\x82\xac\r\n#only\r\n\nrpc +x a b deny");
  ASSERT_TRUE(policy.problems().empty()) << to_text(policy.problems()[0]);
  ASSERT_EQ(policy.rules().size(), 2U);
  EXPECT_EQ(policy.rules()[1].line, 4U);
}

TEST(PolicyParse, MistakesHaveAPlace) {
  const std::pair<const char*, const char*> cases[] = {
      {"net.conect * a b allow", "1:1: \"net.conect\" is no service"},
      {"net.connect tcp:80 a b allow", "1:13: \"tcp:80\" is neither * nor begins with +"},
      {"net.connect +tcp:0 a b allow", "1:13: "},
      {"net.connect +tcp:080 a b allow", "1:13: "},
      {"net.connect +tcp:65536 a b allow", "1:13: "},
      {"net.connect +sctp:80 a b allow", "1:13: "},
      {"net.connect +80 a b allow", "1:13: \"+80\" does not fit: net.connect takes tcp:PORT or udp:PORT"},
      {"clipboard.copy +x a b allow", "takes no argument"},
      {"device.usb +046D:c52b a b allow", "1:12: "},
      {"share.mount +/a/../b a b allow", "1:13: "},
      {"share.mount +etc a b allow", "1:13: "},
      {"rpc + a b allow", "1:5: "},
      {"rpc * A b allow", "1:7: \"A\" is no name of an environment"},
      {"rpc * @all b allow", "1:7: \"@all\" is not known"},
      {"rpc * work/ b allow", "no name of an environment"},
      {"rpc * /a b allow", "names no zone before its /"},
      {"rpc * work/a/b c allow", "no name of an environment"},
      {"rpc * @zone: b allow", "1:7: \"@zone:\" names no zone"},
      {"rpc * @kind:foo b allow", "names no kind"},
      {"rpc * @isolation:jail b allow", "names no isolation"},
      {"rpc * @tag: b allow", "names no tag"},
      {"rpc * @dispvm b allow", "is a target only"},
      {"net.egress * a b allow", "its target is @any"},
      {"net.egress * a @any allow target=b", "cannot send net.egress elsewhere"},
      {"rpc * a b Allow", "1:11: \"Allow\" is neither allow, deny nor ask"},
      {"rpc * a b allow target=", "names no environment"},
      {"rpc * a b allow user=", "names no user"},
      {"rpc * a b deny target=c", "makes no sense with deny"},
      {"rpc * a b allow notify=maybe", "1:17: "},
      {"rpc * a b allow user=x user=y", "1:24: \"user=y\" stands twice"},
      {"rpc * a b allow to=c", "is not known: there are target="},
      {"rpc * a b allow now", "is not known: there are target="},
      {"rpc", "1:4: an argument or * is missing"},
      {"rpc *", "1:6: a source is missing"},
      {"rpc * a", "1:8: a target is missing"},
      {"rpc * a b", "1:10: allow, deny or ask is missing"},
      {"\n\nrpc * a b # allow", "3:10: allow, deny or ask is missing"},
      {"rpc * a b\x01 allow", "1:10: only printable ASCII"},
  };
  for (const auto& [text, where] : cases) {
    const auto policy = parse(text);
    ASSERT_EQ(policy.problems().size(), 1U) << text;
    EXPECT_NE(to_text(policy.problems()[0]).find(where), std::string::npos)
        << text << " → " << to_text(policy.problems()[0]);
    EXPECT_TRUE(policy.rules().empty()) << text;
  }
}

TEST(PolicyParse, HasBounds) {
  EXPECT_EQ(parse(std::string(kMaxPolicyLineBytes + 1, ' ')).problems().size(), 1U);
  EXPECT_EQ(parse(std::string(kMaxPolicyFileBytes + 1, '\n')).problems().size(), 1U);
  std::string many;
  for (std::size_t i = 0; i <= kMaxPolicyRules; ++i) many += "rpc * a b deny\n";
  EXPECT_NE(to_text(parse(many).problems().at(0)).find("there are more than"), std::string::npos);
  std::vector<PolicyFile> files;
  for (std::size_t i = 0; i <= kMaxPolicyFiles; ++i) files.push_back({cat("f", i), "", {}});
  EXPECT_EQ(Policy::parse(files).problems().size(), 1U);
  EXPECT_EQ(Policy::parse({{"locked", "rpc * a b deny", "cannot be read"}}).problems().size(), 1U);
}

TEST(PolicyArgument, IsCheckedForQuestionsToo) {
  EXPECT_TRUE(check_policy_argument("net.connect", "tcp:80"));
  EXPECT_FALSE(check_policy_argument("net.connect", "80"));
  EXPECT_FALSE(check_policy_argument("clipboard.copy", "x"));
  EXPECT_FALSE(check_policy_argument("nonsense", "x"));
  EXPECT_TRUE(is_policy_service("open.url"));
}

}  // namespace
}  // namespace skerry
