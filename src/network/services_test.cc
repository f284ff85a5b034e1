// Services in the kernel: connections of the host, of guests and from outside, while endpoints come, refuse and die.
#include "network/services.h"

#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "network/conntrack.h"
#include "network/rules_testing.h"

namespace skerry::network {
namespace {

class Services : public RulesHost {
 protected:
  void SetUp() override {
    RulesHost::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    own_address("192.168.127.2");
    serve({"192.168.127.100", "192.168.127.101"});
  }
  void own_address(const std::string& text) {
    const int bridge = find_link(netlink(), "vbr0").value()->index;
    ASSERT_OK(add_address(netlink(), bridge, {Ipv4::parse(text).value(), 32}));
  }
  void serve(const std::vector<std::string>& endpoints, Protocol protocol = Protocol::kTcp,
             const std::string& address = "192.168.127.2") {
    Service service{Ipv4::parse(address).value(), 80, protocol, {}};
    for (const auto& each : endpoints) service.endpoints.push_back({Ipv4::parse(each).value(), 8080});
    state_.services = {service};
    apply();
  }
  static bool has_one(const Fd& server) {
    pollfd wait{server.get(), POLLIN, 0};
    if (::poll(&wait, 1, 0) != 1) return false;
    return bool{Fd(::accept4(server.get(), nullptr, nullptr, SOCK_CLOEXEC))};
  }
  // How many of 40 connections each server got.
  std::pair<int, int> spread(int client, const Fd& first, const Fd& second) {
    std::pair<int, int> got;
    for (int i = 0; i < 40; ++i) {
      EXPECT_EQ(connect_in(client, "192.168.127.2", 80).error, 0) << i;
      if (has_one(first)) {
        ++got.first;
      } else {
        got.second += has_one(second) ? 1 : 0;
      }
    }
    return got;
  }
  void apply() {
    if (!firewall_) firewall_.emplace(*nft_);
    ASSERT_OK(firewall_->apply(state_));
  }

  std::optional<Firewall> firewall_;
};

TEST_F(Services, ConnectionsOfEverybodySpreadOverTheEndpoints) {
  const Fd first = serve_in(a_.get(), "192.168.127.100", 8080);
  const Fd second = serve_in(b_.get(), "192.168.127.101", 8080);
  const Fd c = guest("c", "192.168.127.102/24");
  apply();
  for (const auto& [who, client] : std::map<std::string, int>{
           {"host", host()}, {"guest", c.get()}, {"itself", a_.get()}, {"out", outside_.get()}}) {
    const auto [at_first, at_second] = spread(client, first, second);
    EXPECT_EQ(at_first + at_second, 40) << who;
    EXPECT_GT(at_first, 4) << who;
    EXPECT_GT(at_second, 4) << who;
  }
}

TEST_F(Services, OutsideClientsKeepTheirAddress) {
  serve({"192.168.127.100"});
  const Fd server = serve_in(a_.get(), "192.168.127.100", 8080);
  EXPECT_EQ(connect_in(outside_.get(), "192.168.127.2", 80).error, 0);
  EXPECT_EQ(accepted_from(server.get()), "10.99.0.2");
  EXPECT_EQ(connect_in(host(), "192.168.127.2", 80).error, 0);
  EXPECT_EQ(accepted_from(server.get()), "192.168.127.1");
}

TEST_F(Services, AnAddressOutsideOfTheSubnetServesAsWell) {
  own_address("10.200.0.1");
  serve({"192.168.127.100"}, Protocol::kTcp, "10.200.0.1");
  const Fd server = serve_in(a_.get(), "192.168.127.100", 8080);
  for (const int client : {host(), b_.get(), a_.get(), outside_.get()}) {
    EXPECT_EQ(connect_in(client, "10.200.0.1", 80).error, 0);
    EXPECT_NE(accepted_from(server.get()), "");
  }
}

TEST_F(Services, OnlyItsPortsAreOpenOnItsAddress) {
  const Fd secret = serve_in(host(), "0.0.0.0", 9000);
  publish("9001:8080", "192.168.127.100");
  apply();
  const Fd server = serve_in(a_.get(), "192.168.127.100", 8080);
  for (const int client : {host(), b_.get(), outside_.get()}) {
    EXPECT_EQ(connect_in(client, "192.168.127.2", 9000).error, ECONNREFUSED);
    EXPECT_EQ(connect_in(client, "192.168.127.2", 9001).error, ECONNREFUSED) << "published on the host's addresses";
  }
  EXPECT_EQ(connect_in(host(), "127.0.0.1", 9001).error, 0);
}

TEST_F(Services, WithoutEndpointsItRefusesAtOnce) {
  serve({});
  for (const int client : {host(), b_.get(), outside_.get()}) {
    EXPECT_EQ(connect_in(client, "192.168.127.2", 80).error, ECONNREFUSED);
  }
}

TEST_F(Services, EndpointsMoveAndOpenConnectionsStay) {
  const Fd first = serve_in(a_.get(), "192.168.127.100", 8080);
  const Fd second = serve_in(b_.get(), "192.168.127.101", 8080);
  serve({"192.168.127.100"});
  const auto open = connect_in(outside_.get(), "192.168.127.2", 80);
  const Fd accepted(::accept4(first.get(), nullptr, nullptr, SOCK_CLOEXEC));
  ASSERT_TRUE(accepted);
  serve({"192.168.127.101"});
  EXPECT_EQ(spread(host(), first, second), (std::pair{0, 40}));
  ASSERT_EQ(::send(open.socket.get(), "x", 1, 0), 1);
  pollfd wait{accepted.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&wait, 1, kReachableMs), 1);
}

// An endpoint that refuses, before anybody has noticed: the clients' next SYN finds the other one.
TEST_F(Services, ARefusedConnectionIsTriedAgainElsewhere) {
  const Fd server = serve_in(a_.get(), "192.168.127.100", 8080);
  for (const int client : {host(), outside_.get(), a_.get()}) {
    serve({"192.168.127.100", "192.168.127.101"});
    std::vector<Connection> open;
    open.reserve(12);
    for (int i = 0; i < 12; ++i) open.push_back(connect_in(client, "192.168.127.2", 80, 0));
    serve({"192.168.127.100"});
    for (auto& each : open) {
      ASSERT_TRUE(each.error == 0 || each.error == ETIMEDOUT) << each.error;
      pollfd wait{each.socket.get(), POLLOUT, 0};
      ASSERT_EQ(::poll(&wait, 1, kReachableMs), 1);
      int error = 0;
      socklen_t size = sizeof error;
      ::getsockopt(each.socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
      EXPECT_EQ(error, 0);
    }
    while (has_one(server)) continue;  // room in its queue
  }
}

// An endpoint that is silent because it is gone: once it is taken out and forgotten, clients that wait find another.
TEST_F(Services, AConnectionToAVanishedEndpointFindsAnother) {
  serve({"192.168.127.103"});
  const Fd server = serve_in(a_.get(), "192.168.127.100", 8080);
  auto waiting = connect_in(outside_.get(), "192.168.127.2", 80, 100);
  ASSERT_EQ(waiting.error, ETIMEDOUT);
  serve({"192.168.127.100"});
  ASSERT_OK(forget_connections_to({Ipv4::parse("192.168.127.103").value()}));
  pollfd wait{waiting.socket.get(), POLLOUT, 0};
  ASSERT_EQ(::poll(&wait, 1, kReachableMs), 1);
  EXPECT_EQ(accepted_from(server.get()), "10.99.0.2");
}

TEST_F(Services, ForgottenStreamsAreResetAndOthersLeftAlone) {
  const Fd first = serve_in(a_.get(), "192.168.127.100", 8080);
  const Fd second = serve_in(b_.get(), "192.168.127.101", 8080);
  serve({"192.168.127.100"});
  const auto doomed = connect_in(outside_.get(), "192.168.127.2", 80);
  serve({"192.168.127.101"});
  const auto kept = connect_in(outside_.get(), "192.168.127.2", 80);
  ASSERT_OK(forget_connections_to({Ipv4::parse("192.168.127.100").value()}));
  ASSERT_EQ(::send(doomed.socket.get(), "x", 1, 0), 1);
  ASSERT_EQ(::send(kept.socket.get(), "x", 1, 0), 1);
  pollfd reset{doomed.socket.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&reset, 1, kReachableMs), 1);
  char byte = 0;
  EXPECT_EQ(::recv(doomed.socket.get(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
  pollfd quiet{kept.socket.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&quiet, 1, 100), 0);
}

TEST_F(Services, DatagramsOfAForgottenEndpointGoToAnother) {
  const Fd first = serve_in(a_.get(), "192.168.127.100", 8080, SOCK_DGRAM);
  const Fd second = serve_in(b_.get(), "192.168.127.101", 8080, SOCK_DGRAM);
  const Fd client = socket_in(outside_.get(), SOCK_DGRAM);
  const auto to = socket_address("192.168.127.2", 80);
  const auto arrives = [&](const Fd& server) {
    EXPECT_EQ(::sendto(client.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to), 1);
    pollfd wait{server.get(), POLLIN, 0};
    return ::poll(&wait, 1, kReachableMs) == 1;
  };
  serve({"192.168.127.100"}, Protocol::kUdp);
  EXPECT_TRUE(arrives(first));
  serve({"192.168.127.101"}, Protocol::kUdp);
  ASSERT_OK(forget_connections_to({Ipv4::parse("192.168.127.100").value()}));
  EXPECT_TRUE(arrives(second));
}

// A packet on its way through the rules while they are exchanged must not fall through them.
TEST_F(Services, WhileEndpointsComeAndGoNobodyIsRefused) {
  const Fd first = serve_in(a_.get(), "192.168.127.100", 8080);
  const Fd second = serve_in(b_.get(), "192.168.127.101", 8080);
  std::atomic<bool> over = false;
  std::atomic<int> refused = 0;
  std::atomic<int> asked = 0;
  const auto ask = [&] {
    const auto to = socket_address("192.168.127.2", 80);
    while (!over) {
      const Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const linger reset{1, 0};  // no port stays in use behind a closed connection
      ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
      if (::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
        refused += errno == ECONNREFUSED ? 1 : 0;
      ++asked;
    }
  };
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) clients.emplace_back(ask);
  std::thread server([&] {
    while (!over) {
      std::array<pollfd, 2> wait{pollfd{first.get(), POLLIN, 0}, pollfd{second.get(), POLLIN, 0}};
      ::poll(wait.data(), wait.size(), 10);
      while (has_one(first) || has_one(second)) continue;
    }
  });
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  int changes = 0;
  while (std::chrono::steady_clock::now() < end) {
    serve({"192.168.127.100", "192.168.127.101"});
    serve({changes % 2 == 0 ? "192.168.127.100" : "192.168.127.101"});
    changes += 2;
  }
  over = true;
  for (auto& each : clients) each.join();
  server.join();
  EXPECT_GT(asked, 10);
  EXPECT_EQ(refused, 0) << "of " << asked << " during " << changes << " changes";
}

}  // namespace
}  // namespace skerry::network
