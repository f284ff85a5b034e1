// The policy over REST: what is listed, checked and explained, and to whom.
#include "api/api_testing.h"
#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::api::testing {
namespace {

class PolicyRoutes : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    ASSERT_TRUE(sys::mkdir_all(dir_ / "policy", 0755));
    write("10-web", "net.connect +tcp:1 a b deny\nnet.connect +tcp:80 a b allow user=me notify=yes\n");
    ASSERT_TRUE(policy_.reload());
    add_running("a");
    auto b = add_running("other");
    b.spec.name = "b";
    b.spec.zone = "work";
    controller_.add(b);
    serve();
  }
  void write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(write_file_atomic(cat(dir_ / "policy", "/", name, ".policy"), text, 0644));
  }
  wire::JsonNode explain(const std::string& query) {
    return json(client().call("GET", cat("/api/v1/policy/explain?", query)));
  }
};

TEST_F(PolicyRoutes, ListsTheRulesThatHold) {
  write("20-more", "rpc * a b ask");
  const auto listed = json(client().call("GET", "/api/v1/policy"));
  ASSERT_EQ(listed.at("rules").items().size(), 2U) << "the new file was not read yet";
  EXPECT_EQ(listed.at("rules").items()[1].text("rule"), "net.connect +tcp:80 a b allow user=me notify=yes");
  EXPECT_EQ(listed.at("rules").items()[1].text("line"), "2");
  EXPECT_EQ(json(client().call("GET", "/api/v1/policy/check")).at("rules").items().size(), 3U);
  EXPECT_EQ(json(client().call("POST", "/api/v1/policy/reload")).at("rules").items().size(), 3U);
  EXPECT_EQ(store_->events({})->back().type, "policy.reloaded");
}

TEST_F(PolicyRoutes, ExplainsWhatDecidedAndWhatDidNot) {
  const auto said = explain("source=a&target=b&service=net.connect&argument=%2Btcp:80");
  EXPECT_EQ(said.text("answer"), "allow") << said.dump();
  EXPECT_EQ(said.text("decided_by.line"), "2");
  EXPECT_EQ(said.text("user"), "me");
  EXPECT_TRUE(said.at("enforced").flag());
  ASSERT_EQ(said.at("passed").items().size(), 1U);
  EXPECT_EQ(said.at("passed").items()[0].text("why"), "another argument");
  EXPECT_EQ(explain("source=a&target=b&service=net.connect%2Btcp:80").text("answer"), "allow") << "in one word";
  EXPECT_EQ(explain("source=b&target=a&service=net.connect").text("answer"), "deny");
  EXPECT_EQ(explain("source=a&target=@host&service=rpc&argument=x").text("answer"), "deny");
  EXPECT_EQ(explain("source=a&target=@any&service=net.egress&argument=tcp:443").text("answer"), "allow")
      << "by its zone";
}

TEST_F(PolicyRoutes, BadQuestionsAreRefused) {
  for (const auto* query :
       {"", "source=a&target=b", "source=a&target=b&service=nonsense", "target=b&service=rpc",
        "source=a&target=b&service=net.connect&argument=80", "source=a&target=b&service=rpc&more=1"}) {
    EXPECT_EQ(client().call("GET", cat("/api/v1/policy/explain?", query))->status, 400) << query;
  }
  EXPECT_EQ(client().call("GET", "/api/v1/policy/explain?source=a&target=nobody&service=rpc")->status, 404);
}

TEST_F(PolicyRoutes, ACallerOfAZoneLearnsNothingOfOthers) {
  const auto ask = [&](const std::string& path) {
    auto socket = raw();
    socket.send(cat("GET ", path, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nSkerry-Zones: work\r\n\r\n"));
    return socket.read_all();
  };
  EXPECT_EQ(ask("/api/v1/policy").substr(9, 3), "403");
  EXPECT_EQ(ask("/api/v1/policy/explain?source=a&target=b&service=rpc").substr(9, 3), "404");
  const auto own = ask("/api/v1/policy/explain?source=b&target=@host&service=rpc");
  EXPECT_EQ(own.substr(9, 3), "200");
  EXPECT_NE(own.find(R"("passed":[])"), std::string::npos) << own;
}

TEST_F(PolicyRoutes, WhatIsSentElsewhereIsNotEnforced) {
  add_running("c");
  write("05-elsewhere", "net.connect +tcp:443 a b allow target=c\nnet.connect +tcp:443 a c allow\n");
  ASSERT_TRUE(policy_.reload());
  const auto said = explain("source=a&target=b&service=net.connect&argument=tcp:443");
  EXPECT_EQ(said.text("answer"), "allow");
  EXPECT_EQ(said.text("goes_to"), "c");
  EXPECT_FALSE(said.at("enforced").flag()) << "no packet to b passes";
}

TEST_F(PolicyRoutes, ACallerOfAZoneReadsNoPieceOfAMalformedFile) {
  write("20-bad", "rpc * a secretword allow allow\nrpc * b @nonsense:hidden allow\n");
  ASSERT_TRUE(policy_.reload());
  auto socket = raw();
  socket.send(
      "GET /api/v1/policy/explain?source=b&target=@any&service=net.egress HTTP/1.1\r\nHost: x\r\n"
      "Connection: close\r\nSkerry-Zones: work\r\n\r\n");
  const auto own = socket.read_all();
  EXPECT_NE(own.find("the policy is malformed"), std::string::npos) << own;
  EXPECT_EQ(own.find("20-bad"), std::string::npos) << own;
  EXPECT_NE(explain("source=b&target=@any&service=net.egress").text("reason").find("20-bad"), std::string::npos);
}

TEST_F(PolicyRoutes, AMalformedOneIsToldWithItsPlace) {
  write("20-bad", "rpc * a\n");
  const auto checked = json(client().call("GET", "/api/v1/policy/check"));
  EXPECT_TRUE(checked.at("malformed").flag());
  EXPECT_EQ(checked.at("problems").items().at(0).text("text"), "20-bad.policy:1:8: a target is missing");
  EXPECT_EQ(explain("source=a&target=b&service=net.connect&argument=tcp:80").text("answer"), "allow") << "not read yet";
  EXPECT_EQ(client().call("POST", "/api/v1/policy/reload")->status, 200);
  EXPECT_EQ(explain("source=a&target=b&service=net.connect&argument=tcp:80").text("answer"), "deny");
}

}  // namespace
}  // namespace skerry::api::testing
