#include "core/service.h"

#include <gtest/gtest.h>

#include "core/plugin.h"

namespace skerry {
namespace {

const AddressPool kPool = AddressPool::of(Zone{}).value();  // 192.168.127.100-254 of a /24, gateway .1

Ipv4 ip(const std::string& text) { return Ipv4::parse(text).value(); }

TEST(ServicePort, IsAPortAndATarget) {
  EXPECT_EQ(parse_service_port("80:8080")->guest_port, 8080);
  EXPECT_EQ(parse_service_port("53/udp")->protocol, Protocol::kUdp);
  for (const auto* bad : {"", "x", "0:80", "80:0", "70000", "127.0.0.1:80:80", "80:80/sctp"}) {
    EXPECT_FALSE(parse_service_port(bad)) << bad;
  }
}

TEST(ServiceSpecs, NameEachPortOnce) {
  ServiceSpec service;
  EXPECT_FALSE(validate(service));
  service.ports = {{"", 80, 8080, Protocol::kTcp}, {"", 80, 8081, Protocol::kUdp}};
  EXPECT_TRUE(validate(service));
  service.ports.push_back({"", 80, 8082, Protocol::kTcp});
  EXPECT_EQ(validate(service).error().message(), "service.ports[2]: 80/tcp is named twice");
  service.ports.assign(kMaxServicePorts + 1, {});
  EXPECT_FALSE(validate(service));
}

TEST(ServiceAddress, IsTheLowestThatNobodyElseCanHave) {
  EXPECT_EQ(choose_service_address(kPool, "", {})->text(), "192.168.127.2");
  EXPECT_EQ(choose_service_address(kPool, "", {ip("192.168.127.2"), ip("192.168.127.4")})->text(), "192.168.127.3");
  std::set<Ipv4> below;
  for (std::uint32_t i = 2; i < 100; ++i) below.insert({ip("192.168.127.0").value + i});
  EXPECT_EQ(choose_service_address(kPool, "", below).error().code, ErrorCode::kResourceExhausted);
  const auto small = AddressPool::create(Cidr::parse("10.0.0.1/29").value(), ip("10.0.0.2"), ip("10.0.0.4")).value();
  EXPECT_EQ(choose_service_address(small, "", {})->text(), "10.0.0.5");
  EXPECT_EQ(choose_service_address(small, "", {ip("10.0.0.5"), ip("10.0.0.6")}).error().code,
            ErrorCode::kResourceExhausted);
}

TEST(ServiceAddress, CanBeNamed) {
  EXPECT_EQ(choose_service_address(kPool, "192.168.127.50", {})->text(), "192.168.127.50");
  EXPECT_EQ(choose_service_address(kPool, "10.1.2.3", {})->text(), "10.1.2.3");
  EXPECT_EQ(choose_service_address(kPool, "10.1.2.3", {ip("10.1.2.3")}).error().code, ErrorCode::kAlreadyExists);
  for (const auto* bad : {"x", "0.0.0.1", "127.0.0.1", "224.0.0.1", "255.255.255.255", "169.254.169.254",
                          "192.168.127.0", "192.168.127.1", "192.168.127.255", "192.168.127.100", "192.168.127.254"}) {
    EXPECT_EQ(choose_service_address(kPool, bad, {}).error().code, ErrorCode::kInvalidArgument) << bad;
  }
}

Environment replica(const std::string& id, const std::string& deployment) {
  Environment out;
  out.id = id;
  out.ip = "192.168.127.10" + id;
  out.spec.deployment = deployment;
  out.status.state = State::kRunning;
  out.status.goal = Goal::kRunning;
  return out;
}

TEST(ServicesOf, LeadToTheReplicasThatAreReady) {
  Deployment web;
  web.name = "web";
  web.service = ServiceSpec{"192.168.127.2", {{"", 80, 8080, Protocol::kTcp}}};
  Deployment plain;
  plain.name = "plain";
  auto stopping = replica("2", "web");
  stopping.status.goal = Goal::kDeleted;
  auto starting = replica("3", "web");
  starting.status.state = State::kStarting;
  auto checked = replica("4", "web");
  checked.spec.health_check.emplace();
  auto healthy = checked;
  healthy.id = "5";
  healthy.status.health = Health::kHealthy;
  auto sick = checked;
  sick.status.health = Health::kUnhealthy;
  auto offline = replica("6", "web");
  offline.ip.clear();
  EnvironmentViews views;
  for (const auto& each :
       {replica("0", "plain"), replica("1", "web"), stopping, starting, checked, healthy, sick, offline}) {
    views.push_back(std::make_shared<const Environment>(each));
  }
  const auto services = services_of({plain, web}, views);
  ASSERT_EQ(services.size(), 1U);
  EXPECT_EQ(services[0].spec, *web.service);
  EXPECT_EQ(services[0].replicas,
            (std::vector<ServiceState::Replica>{{"1", "192.168.127.101"}, {"5", "192.168.127.104"}}));
}

}  // namespace
}  // namespace skerry
