#include "control/zones.h"

#include <gtest/gtest.h>

#include "base/temp_dir.h"
#include "base/text.h"
#include "store/store.h"
#include "testing/controller_fixture.h"
#include "testing/fake_network.h"

namespace skerry::testing {
namespace {

ZoneWish wish(const std::string& name) {
  ZoneWish out;
  out.name = name;
  return out;
}

Status nobody() { return {}; }

class ZonesTest : public ControllerTest {
 protected:
  std::vector<std::string> names() {
    std::vector<std::string> out;
    for (const auto& each : zones_->list()) out.push_back(each.name);
    return out;
  }
  EnvironmentSpec in_zone(const std::string& name, const std::string& zone) {
    auto out = spec(name);
    out.zone = zone;
    return out;
  }
};

TEST_F(ZonesTest, ComeWithTheirEventAndOutliveTheDaemon) {
  ASSERT_TRUE(zones_->add(wish("work")));
  EXPECT_EQ(event_types(), std::vector<std::string>{"zone.created"});
  EXPECT_EQ(network_.zones().back().bridge, "vbr-work");
  restart_daemon();
  EXPECT_EQ(names(), (std::vector<std::string>{"default", "work"}));
  EXPECT_EQ(network_.zones().size(), 2U) << "it was opened with both";
  ASSERT_TRUE(zones_->remove("work", nobody));
  EXPECT_EQ(event_types().back(), "zone.removed");
  EXPECT_EQ(network_.zones().size(), 1U);
  restart_daemon();
  EXPECT_EQ(names(), std::vector<std::string>{"default"});
}

TEST_F(ZonesTest, WhatTheHostRefusesIsNotStored) {
  network_.fail_zone("work");
  EXPECT_EQ(zones_->add(wish("work")).error().code, ErrorCode::kConflict);
  EXPECT_EQ(names(), std::vector<std::string>{"default"});
  EXPECT_TRUE(store_->zones()->empty());
  EXPECT_TRUE(event_types().empty());
}

TEST_F(ZonesTest, WhatTheHostKeepsStays) {
  ASSERT_TRUE(zones_->add(wish("work")));
  network_.fail_zone("work");
  EXPECT_EQ(zones_->remove("work", nobody).error().code, ErrorCode::kConflict);
  EXPECT_EQ(names().size(), 2U);
  EXPECT_EQ(store_->zones()->size(), 1U);
}

TEST_F(ZonesTest, EnvironmentsGetTheAddressesOfTheirZone) {
  const Zone work = zones_->add(wish("work")).value();
  EXPECT_EQ(run(in_zone("a", "work"))->ip, work.pool_first);
  EXPECT_EQ(run(spec("b"))->ip, "192.168.127.100");
  const auto lost = run(in_zone("c", "nowhere"));
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, ErrorCode::kNotFound);
}

TEST_F(ZonesTest, NoneGoesWhileItIsUsed) {
  ASSERT_TRUE(zones_->add(wish("work")));
  ASSERT_TRUE(run(in_zone("web", "work")));
  Deployment deployment;
  deployment.name = "shop";
  deployment.config_json = R"({"image":"x","zone":"work"})";
  ASSERT_TRUE(store_->put_deployment(deployment, {}));
  deployment.name = "was-there";
  deployment.config_json = R"({"image":"x"})";
  deployment.previous_config_json = R"({"zone":"work"})";
  ASSERT_TRUE(store_->put_deployment(deployment, {}));
  Snapshot snapshot;
  snapshot.name = "before";
  snapshot.spec = in_zone("web", "work");
  ASSERT_TRUE(store_->add_snapshot(snapshot, {}));
  const auto refused = zones_->remove("work", nobody);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  for (const auto* user : {"environment web", "deployment shop", "deployment was-there", "snapshot before"}) {
    EXPECT_NE(refused.error().message().find(user), std::string::npos) << refused.error().message();
  }
  ASSERT_TRUE(ask("web", Verb::kForceDelete));
  ASSERT_TRUE(store_->remove_deployment("shop", {}));
  ASSERT_TRUE(store_->remove_deployment("was-there", {}));
  ASSERT_TRUE(store_->remove_snapshot("before", {}));
  EXPECT_EQ(zones_->remove("work", [] { return Status(fail(ErrorCode::kConflict, "a token")); }).error().message(),
            "a token");
  EXPECT_TRUE(zones_->remove("work", nobody));
}

TEST_F(ZonesTest, TheDefaultOneStays) {
  EXPECT_EQ(zones_->remove("default", nobody).error().code, ErrorCode::kConflict);
  EXPECT_EQ(zones_->remove("nowhere", nobody).error().code, ErrorCode::kNotFound);
}

// The host has taken its subnet meanwhile: the daemon serves, nothing starts there, and it can be removed.
TEST_F(ZonesTest, OneThatCannotStandStartsNothing) {
  ASSERT_TRUE(zones_->add(wish("work")));
  network_.fail_zone("work");
  restart_daemon();
  const auto refused = run(in_zone("a", "work"));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("zone \"work\" cannot be used: it fails"), std::string::npos)
      << refused.error().message();
  EXPECT_TRUE(run(spec("b")));
  network_.fail_zone("");
  EXPECT_TRUE(zones_->remove("work", nobody));
}

// Other daemon settings than when it was made.
TEST_F(ZonesTest, ADefaultZoneInTheWayOfAnotherIsRefused) {
  ASSERT_TRUE(zones_->add(wish("work")));
  Zone fallback;
  fallback.subnet = "192.168.128.0/17";
  const auto refused = Zones::create(fallback, *store_, network_, clock_);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("zone \"work\""), std::string::npos) << refused.error().message();
}

}  // namespace
}  // namespace skerry::testing
