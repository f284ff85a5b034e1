#include "core/zone_plan.h"

#include <gtest/gtest.h>

namespace skerry {
namespace {

ZoneWish wish(const std::string& name) {
  ZoneWish out;
  out.name = name;
  return out;
}

std::string error_of(const ZoneWish& asked, const std::vector<Zone>& zones = {Zone{}},
                     const std::vector<Cidr>& host = {}) {
  const auto planned = plan_zone(asked, zones, host);
  return planned ? "" : planned.error().message();
}

TEST(ZonePlan, ChoosesWhatWasLeftOpen) {
  const Zone zone = plan_zone(wish("work"), {Zone{}}, {}).value();
  EXPECT_EQ(zone.bridge, "vbr-work");
  EXPECT_EQ(zone.subnet, "192.168.128.0/24");
  EXPECT_EQ(zone.gateway, "192.168.128.1");
  EXPECT_EQ(zone.pool_first, "192.168.128.100");
  EXPECT_EQ(zone.pool_last, "192.168.128.254");
  EXPECT_EQ(zone.egress, Egress::kNat);
  EXPECT_EQ(zone.colour, "grey");
  EXPECT_FALSE(zone.isolated);
}

TEST(ZonePlan, TheNextSubnetIsFreeOfZonesAndOfTheHost) {
  const Zone first = plan_zone(wish("a"), {Zone{}}, {}).value();
  const Zone second = plan_zone(wish("b"), {Zone{}, first}, {Cidr::parse("192.168.129.7/22").value()}).value();
  EXPECT_EQ(second.subnet, "192.168.132.0/24") << "the host's /22 runs to .131";
}

TEST(ZonePlan, TakesWhatIsGiven) {
  ZoneWish asked = wish("lab");
  asked.subnet = "10.7.0.1/16";
  asked.pool_first = "10.7.1.0";
  asked.pool_last = "10.7.1.9";
  asked.bridge = "lab0";
  asked.colour = "#FF8800";
  asked.egress = "none";
  asked.isolated = true;
  asked.dns = {"9.9.9.9"};
  const Zone zone = plan_zone(asked, {Zone{}}, {}).value();
  EXPECT_EQ(zone.subnet, "10.7.0.0/16");
  EXPECT_EQ(zone.pool_first, "10.7.1.0");
  EXPECT_EQ(zone.colour, "#ff8800");
  EXPECT_EQ(zone.egress, Egress::kNone);
  EXPECT_TRUE(zone.isolated);
  EXPECT_EQ(zone.dns, std::vector<std::string>{"9.9.9.9"});
}

TEST(ZonePlan, RefusesWhatOverlaps) {
  ZoneWish asked = wish("x");
  asked.subnet = "192.168.0.0/16";
  EXPECT_NE(error_of(asked).find("overlaps with 192.168.127.0/24 of zone \"default\""), std::string::npos);
  asked.subnet = "10.0.0.0/24";
  EXPECT_NE(error_of(asked, {Zone{}}, {Cidr::parse("10.0.0.9/8").value()}).find("which this host already has"),
            std::string::npos);
  for (const auto* reserved : {"127.1.0.0/24", "169.254.3.0/24", "224.0.0.0/24", "255.255.255.0/24", "0.0.0.0/8"}) {
    asked.subnet = reserved;
    EXPECT_NE(error_of(asked).find("subnet"), std::string::npos) << reserved;
  }
}

TEST(ZonePlan, RefusesBadWordsAndNamesTheField) {
  const std::pair<void (*)(ZoneWish&), const char*> cases[] = {
      {[](ZoneWish& w) { w.name = "Work"; }, "name: "},
      {[](ZoneWish& w) { w.name = ""; }, "name: "},
      {[](ZoneWish& w) { w.name = "default"; }, "exists"},
      {[](ZoneWish& w) { w.colour = "pinkish"; }, "colour: "},
      {[](ZoneWish& w) { w.colour = "#12345g"; }, "colour: "},
      {[](ZoneWish& w) { w.colour = "#1234567"; }, "colour: "},
      {[](ZoneWish& w) { w.egress = "all"; }, "egress: "},
      {[](ZoneWish& w) { w.egress = "via:router"; }, "router VM is not there yet"},
      {[](ZoneWish& w) { w.subnet = "10.1.2.3"; }, "subnet"},
      {[](ZoneWish& w) { w.subnet = "10.1.2.0/30"; }, "subnet"},
      {[](ZoneWish& w) { w.bridge = "a b"; }, "bridge: "},
      {[](ZoneWish& w) { w.bridge = "averyveryverylongname"; }, "bridge: "},
      {[](ZoneWish& w) { w.bridge = "vbr0"; }, "of zone \"default\""},
      {[](ZoneWish& w) { w.dns = {"dns.example"}; }, "dns"},
      {[](ZoneWish& w) { w.pool_first = "10.9.9.9"; }, "pool"},
  };
  for (const auto& [spoil, word] : cases) {
    ZoneWish asked = wish("work");
    spoil(asked);
    EXPECT_NE(error_of(asked).find(word), std::string::npos) << word << " in: " << error_of(asked);
  }
}

TEST(ZonePlan, LongNamesGetBridgesOfTheirOwn) {
  const auto one = bridge_for_zone("department-of-one");
  const auto two = bridge_for_zone("department-of-two");
  EXPECT_EQ(one.size(), 15U);
  EXPECT_NE(one, two);
  EXPECT_TRUE(one.starts_with("vbr-depart-"));
  EXPECT_EQ(bridge_for_zone("elevenchars"), "vbr-elevenchars");
}

TEST(ZonePlan, ThereIsAnEnd) {
  std::vector<Zone> zones{Zone{}};
  while (zones.size() < kMaxZones) {
    zones.push_back(plan_zone(wish(std::string("z") + std::to_string(zones.size())), zones, {}).value());
  }
  EXPECT_EQ(plan_zone(wish("more"), zones, {}).error().code, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(check_apart(zones));
  zones.back().subnet = zones.front().subnet;
  EXPECT_EQ(check_apart(zones).error().code, ErrorCode::kConflict);
}

}  // namespace
}  // namespace skerry
