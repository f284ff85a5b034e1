#include "core/net.h"

#include <gtest/gtest.h>

namespace skerry {
namespace {

Ipv4 ip(std::string_view text) { return Ipv4::parse(text).value(); }
Cidr cidr(std::string_view text) { return Cidr::parse(text).value(); }

TEST(Ipv4, ParsesAndPrintsTheSameText) {
  for (const auto* text : {"0.0.0.0", "192.168.127.1", "255.255.255.255", "10.0.0.100"})
    EXPECT_EQ(ip(text).text(), text);
  EXPECT_EQ(ip("192.168.127.1").value, 0xC0A87F01U);
}

TEST(Ipv4, RefusesEverythingElse) {
  for (const auto* text : {"", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.-4", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4",
                           "1..3.4", "a.b.c.d", "::1", "1.2.3.4/8", "0x7f.0.0.1", "1.2.3.00004"}) {
    const auto result = Ipv4::parse(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_NE(Ipv4::parse("1.2.3.x").error().message().find("\"1.2.3.x\""), std::string::npos);
}

TEST(Ipv4, OrdersByNumberAndKnowsLoopback) {
  EXPECT_LT(ip("9.0.0.1"), ip("10.0.0.0"));
  EXPECT_TRUE(ip("127.0.0.53").is_loopback());
  EXPECT_FALSE(ip("128.0.0.1").is_loopback());
}

TEST(Cidr, KnowsItsNetwork) {
  const auto net = cidr("192.168.127.1/24");
  EXPECT_EQ(net.network().text(), "192.168.127.0");
  EXPECT_EQ(net.broadcast().text(), "192.168.127.255");
  EXPECT_EQ(net.network_cidr().text(), "192.168.127.0/24");
  EXPECT_EQ(net.text(), "192.168.127.1/24");
  EXPECT_TRUE(net.contains(ip("192.168.127.255")));
  EXPECT_FALSE(net.contains(ip("192.168.128.0")));
  EXPECT_TRUE(cidr("0.0.0.0/0").contains(ip("255.1.2.3")));
  EXPECT_EQ(cidr("1.2.3.4/32").network(), ip("1.2.3.4"));
}

TEST(Cidr, OverlapIsSymmetric) {
  EXPECT_TRUE(cidr("10.0.0.0/8").overlaps(cidr("10.1.2.3/24")));
  EXPECT_TRUE(cidr("10.1.2.3/24").overlaps(cidr("10.0.0.0/8")));
  EXPECT_FALSE(cidr("10.0.0.0/24").overlaps(cidr("10.0.1.0/24")));
}

TEST(Cidr, RefusesBadTexts) {
  for (const auto* text : {"10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0/8", "/8", "10.0.0.0/08", "10.0.0.0/8/8"}) {
    EXPECT_FALSE(Cidr::parse(text)) << text;
  }
}

TEST(MacAddress, ParsesPrintsRefuses) {
  EXPECT_EQ(MacAddress::parse("52:54:00:aB:cd:ef").value().text(), "52:54:00:ab:cd:ef");
  for (const auto* text :
       {"", "52:54:00:ab:cd", "52-54-00-ab-cd-ef", "52:54:00:ab:cd:eg", "52:54:00:ab:cd:ef:00", "5:254:00:ab:cd:ef"}) {
    EXPECT_FALSE(MacAddress::parse(text)) << text;
  }
}

TEST(MacAddress, OfAnAddressIsLocalUnicastAndUnique) {
  const auto mac = MacAddress::for_address(ip("192.168.127.100"));
  EXPECT_EQ(mac.text(), "02:53:c0:a8:7f:64");
  EXPECT_EQ(mac.octets[0] & 3U, 2U);
  EXPECT_NE(mac, MacAddress::for_address(ip("192.168.127.101")));
}

TEST(AddressPool, OfTheDefaultZoneIsTheDocumentsOne) {
  const auto pool = AddressPool::of(Zone{}).value();
  EXPECT_EQ(pool.gateway.text(), "192.168.127.1/24");
  EXPECT_EQ(pool.first.text(), "192.168.127.100");
  EXPECT_EQ(pool.last.text(), "192.168.127.254");
  EXPECT_EQ(pool.size(), 155U);
}

TEST(AddressPool, RefusesWhatCannotWork) {
  const auto make = [](const char* gateway, const char* first, const char* last) {
    return AddressPool::create(cidr(gateway), ip(first), ip(last));
  };
  EXPECT_FALSE(make("10.0.0.1/24", "10.0.0.9", "10.0.0.8"));
  EXPECT_FALSE(make("10.0.0.1/24", "10.0.0.0", "10.0.0.8"));
  EXPECT_FALSE(make("10.0.0.1/24", "10.0.0.9", "10.0.0.255"));
  EXPECT_FALSE(make("10.0.0.1/24", "10.0.1.2", "10.0.1.3"));
  EXPECT_FALSE(make("10.0.0.0/24", "10.0.0.2", "10.0.0.3"));
  EXPECT_FALSE(make("10.0.0.1/31", "10.0.0.1", "10.0.0.1"));
  EXPECT_FALSE(make("10.0.0.1/24", "10.0.0.1", "10.0.0.1"));
  EXPECT_TRUE(make("10.0.0.1/24", "10.0.0.1", "10.0.0.2"));
  Zone zone;
  zone.gateway = "10.0.0.1";
  const auto outside = AddressPool::of(zone);
  ASSERT_FALSE(outside);
  EXPECT_NE(outside.error().message().find("zone default: gateway \"10.0.0.1\""), std::string::npos);
}

TEST(ZoneForSubnet, KeepsTheShapeOfTheDefault) {
  EXPECT_EQ(zone_for_subnet({}, "192.168.127.1/24").value(), Zone{});
  EXPECT_EQ(zone_for_subnet({}, "192.168.127.0/24").value(), Zone{});
  const auto small = zone_for_subnet({}, "10.9.8.0/29").value();
  EXPECT_EQ(small.gateway, "10.9.8.1");
  EXPECT_EQ(small.pool_first, "10.9.8.2");
  EXPECT_EQ(small.pool_last, "10.9.8.6");
  const auto wide = AddressPool::of(zone_for_subnet({}, "10.9.0.1/16").value()).value();
  EXPECT_GT(wide.size(), 39000U);
  EXPECT_FALSE(zone_for_subnet({}, "10.0.0.0/30"));
  EXPECT_FALSE(zone_for_subnet({}, "10.0.0.0/7"));
  EXPECT_FALSE(zone_for_subnet({}, "10.0.0.255/24"));
}

TEST(LowestFree, FillsTheLowestGapFirst) {
  const auto pool = AddressPool::create(cidr("10.0.0.1/24"), ip("10.0.0.1"), ip("10.0.0.5")).value();
  std::set<Ipv4> leased;
  EXPECT_EQ(lowest_free(pool, leased).value().text(), "10.0.0.2") << "the gateway is never leased";
  leased = {ip("10.0.0.2"), ip("10.0.0.4"), ip("9.9.9.9"), ip("10.0.0.200")};
  EXPECT_EQ(lowest_free(pool, leased).value().text(), "10.0.0.3");
  leased.insert(ip("10.0.0.3"));
  EXPECT_EQ(lowest_free(pool, leased).value().text(), "10.0.0.5");
  leased.insert(ip("10.0.0.5"));
  const auto full = lowest_free(pool, leased);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::kResourceExhausted);
  leased.erase(ip("10.0.0.2"));
  EXPECT_EQ(lowest_free(pool, leased).value().text(), "10.0.0.2");
}

TEST(LowestFree, NeverLeasesTwiceUntilTheVeryEnd) {
  const auto pool = AddressPool::of(Zone{}).value();
  std::set<Ipv4> leased;
  for (std::uint64_t i = 0; i < pool.size(); ++i) {
    const auto address = lowest_free(pool, leased).value();
    EXPECT_EQ(address.value, pool.first.value + i);
    EXPECT_TRUE(leased.insert(address).second);
  }
  EXPECT_FALSE(lowest_free(pool, leased));
}

TEST(PublishedPort, ReadsEveryForm) {
  const auto plain = parse_published_port("8080:80").value();
  EXPECT_EQ(plain, (PublishedPort{"", 8080, 80, Protocol::kTcp}));
  EXPECT_EQ(parse_published_port("53:5353/udp").value(), (PublishedPort{"", 53, 5353, Protocol::kUdp}));
  EXPECT_EQ(parse_published_port("127.0.0.1:8080:80/tcp").value(),
            (PublishedPort{"127.0.0.1", 8080, 80, Protocol::kTcp}));
  EXPECT_EQ(parse_published_port("0.0.0.0:1:2").value().host_ip, "");
  for (const auto* text : {"8080:80", "53:5353/udp", "127.0.0.1:8080:80"}) {
    EXPECT_EQ(to_text(parse_published_port(text).value()), text);
  }
}

TEST(PublishedPort, RefusesAndExplains) {
  for (const auto* text : {"", ":80", "80:", "0:80", "80:0", "65536:80", "80:65536", "80:80/sctp", "80:80/", "a:b",
                           "1:2:3:4", "host:80:80", "80-81:80-81", "80:80/tcp/udp", "[::1]:80:80", "08:80"}) {
    const auto result = parse_published_port(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
    EXPECT_FALSE(result.error().hint.empty());
  }
}

}  // namespace
}  // namespace skerry
