// Zones over REST: what is told, what is refused.
#include "api/api_testing.h"
#include "base/text.h"

namespace skerry::api::testing {
namespace {

class ZoneRoutes : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    serve();
  }
};

TEST_F(ZoneRoutes, LiveTheirLife) {
  const auto made =
      client().call("POST", "/api/v1/zones",
                    R"({"name":"vault","colour":"BLACK","egress":"none","isolated":true,"dns":["9.9.9.9"]})");
  ASSERT_EQ(made->status, 201) << made->body;
  const auto zone = json(made);
  EXPECT_EQ(zone.text("bridge"), "vbr-vault");
  EXPECT_EQ(zone.text("colour"), "black");
  EXPECT_EQ(zone.text("egress"), "none");
  EXPECT_EQ(zone.text("default_policy"), "deny");
  EXPECT_TRUE(zone.at("isolated").flag());
  EXPECT_EQ(json(client().call("GET", "/api/v1/zones/vault")).dump(), zone.dump());
  const auto list = json(client().call("GET", "/api/v1/zones")).items();
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list[0].text("name"), "default");
  EXPECT_EQ(store_->events({})->back().type, "zone.created");
  EXPECT_EQ(client().call("DELETE", "/api/v1/zones/vault")->status, 204);
  EXPECT_EQ(client().call("GET", "/api/v1/zones/vault")->status, 404);
  EXPECT_EQ(store_->events({})->back().type, "zone.removed");
}

TEST_F(ZoneRoutes, BadOnesAreRefusedWithTheirField) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({})", "name"},
      {R"({"name":"Work"})", "name"},
      {R"({"name":"x","colour":"pinkish"})", "colour"},
      {R"({"name":"x","subnet":"192.168.127.128/25"})", "overlaps with 192.168.127.0/24 of zone"},
      {R"({"name":"x","egress":"via:router"})", "through a router VM is not there yet"},
      {R"({"name":"x","default_policy":"allow"})", "default_policy"},
      {R"({"name":"x","color":"red"})", "color"},
      {R"({"name":"work"})", "exists"},
  };
  for (const auto& [body, word] : cases) {
    const auto answer = client().call("POST", "/api/v1/zones", body);
    EXPECT_GE(answer->status, 400) << body;
    EXPECT_LT(answer->status, 502) << body;
    EXPECT_NE(answer->body.find(word), std::string::npos) << answer->body;
  }
  EXPECT_TRUE(store_->events({})->empty());
}

TEST_F(ZoneRoutes, NoneGoesWhileATokenIsLimitedToIt) {
  ASSERT_EQ(client().call("POST", "/api/v1/tokens", R"({"name":"ci","role":"viewer","zones":["work"]})")->status, 201);
  const auto refused = client().call("DELETE", "/api/v1/zones/work");
  EXPECT_EQ(refused->status, 409);
  EXPECT_NE(refused->body.find("used by token ci"), std::string::npos) << refused->body;
  ASSERT_EQ(client().call("DELETE", "/api/v1/tokens/ci")->status, 204);
  EXPECT_EQ(client().call("DELETE", "/api/v1/zones/work")->status, 204);
}

TEST_F(ZoneRoutes, ADeploymentInAZoneThatIsNotIsRefused) {
  const auto refused =
      client().call("POST", "/api/v1/deployments", R"({"name":"d","config":{"image":"a","zone":"nowhere"}})");
  EXPECT_EQ(refused->status, 404);
  EXPECT_NE(refused->body.find("zone"), std::string::npos) << refused->body;
}

TEST_F(ZoneRoutes, ACallerOfOneZoneSeesThatOne) {
  const auto ask = [&](const std::string& path) {
    auto socket = raw();
    socket.send(cat("GET ", path, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nSkerry-Zones: work\r\n\r\n"));
    return socket.read_all();
  };
  const auto list = ask("/api/v1/zones");
  EXPECT_NE(list.find("vbr-work"), std::string::npos);
  EXPECT_EQ(list.find("vbr0"), std::string::npos);
  EXPECT_EQ(ask("/api/v1/zones/default").substr(9, 3), "404");
  EXPECT_EQ(ask("/api/v1/zones/work").substr(9, 3), "200");
}

}  // namespace
}  // namespace skerry::api::testing
