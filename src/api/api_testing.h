// For the tests of this folder: a real server over fakes, in its own directory, and a client that may misbehave.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>

#include "api/server.h"
#include "base/temp_dir.h"
#include "base/unix_socket.h"
#include "cli/http_client.h"
#include "testing/fake_controller.h"
#include "testing/fake_images.h"
#include "testing/fake_kernels.h"
#include "testing/fake_network.h"
#include "wire/json_node.h"

namespace skerry::api::testing {

// Bytes in, bytes out, nothing understood.
class RawClient {
 public:
  explicit RawClient(Fd socket) : socket_(std::move(socket)) {}
  explicit RawClient(const std::string& path) : RawClient(unix_connect(path).value()) {}

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  // Reads until `text` has come, the server closes, or ten seconds pass; all that came so far.
  std::string read_until(std::string_view text) {
    while (received_.find(text) == std::string::npos && fill()) {
    }
    return received_;
  }
  // Reads until the server closes.
  std::string read_all() {
    while (fill()) {
    }
    return received_;
  }
  [[nodiscard]] int fd() const { return socket_.get(); }
  void forget() { received_.clear(); }
  void close() { socket_.reset(); }

 private:
  bool fill() {
    pollfd poller{socket_.get(), POLLIN, 0};
    if (::poll(&poller, 1, 10'000) != 1) return false;
    char chunk[65536];
    const auto got = ::read(socket_.get(), chunk, sizeof chunk);
    if (got <= 0) return false;
    received_.append(chunk, static_cast<std::size_t>(got));
    return true;
  }
  Fd socket_;
  std::string received_;
};

class ApiTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // As skerryd does: a peer that has gone is an error of the write, not the end of the process.
    std::signal(SIGPIPE, SIG_IGN);
    config_.socket_path = dir_ / "api.sock";
    config_.tokens_path = dir_ / "tokens.json";
    config_.audit_path = dir_ / "audit.log";
  }
  void TearDown() override {
    server_.reset();
    deployments_.reset();
    operations_.reset();
  }
  void serve() {
    auto server = ApiServer::create(config_, {controller_, *operations_, images_, *store_, clock_, feed_, *deployments_,
                                              *snapshots_, kernels_, *zones_, policy_});
    ASSERT_TRUE(server) << server.error().message();
    server_ = std::move(*server);
    ASSERT_TRUE(server_->run());
  }
  cli::HttpClient client() { return cli::HttpClient(config_.socket_path); }
  RawClient raw() { return RawClient(config_.socket_path); }
  // To the TCP port, which config_.listen asked for.
  RawClient tcp() {
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server_->tcp_port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int answer = socket ? ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) : -1;
    EXPECT_EQ(answer, 0);
    return RawClient(std::move(socket));
  }
  static wire::JsonNode json(const Result<cli::HttpAnswer>& answer) {
    EXPECT_TRUE(answer) << (answer ? "" : answer.error().message());
    return answer ? wire::JsonNode::parse(answer->body).value_or(wire::JsonNode()) : wire::JsonNode();
  }
  Environment add_running(const std::string& name, Isolation isolation = Isolation::kContainer) {
    Environment environment;
    environment.id = "0123456789abcdef";
    environment.spec.name = name;
    environment.spec.isolation = isolation;
    environment.spec.image = "localhost/base:1";
    environment.status.state = State::kRunning;
    environment.status.created_at = clock_.now();
    controller_.add(environment);
    return environment;
  }

  TempDir dir_ = TempDir::create("skerry-api").value();
  SystemClock clock_;
  ApiConfig config_;
  ::skerry::testing::FakeController controller_{dir_.path()};
  ::skerry::testing::FakeImages images_;
  ::skerry::testing::FakeKernels kernels_;
  std::unique_ptr<Store> store_ = Store::open(dir_ / "db").value();
  EventFeed feed_{*store_};
  std::unique_ptr<Deployments> deployments_ = Deployments::create(*store_, controller_, feed_, clock_).value();
  std::unique_ptr<Snapshots> snapshots_ = Snapshots::create(dir_ / "snapshots", *store_, controller_, clock_).value();
  std::unique_ptr<Operations> operations_ = std::make_unique<Operations>(clock_);
  ::skerry::testing::FakeNetwork network_;
  std::unique_ptr<Zones> zones_ = make_zones();
  PolicyBook policy_{dir_ / "policy", *store_, clock_};
  std::unique_ptr<ApiServer> server_;

 private:
  // The default one and "work", of which no event tells.
  std::unique_ptr<Zones> make_zones() {
    ZoneWish work;
    work.name = "work";
    EXPECT_TRUE(store_->add_zone(plan_zone(work, {Zone{}}, {}).value(), {}));
    return Zones::create(Zone{}, *store_, network_, clock_).value();
  }
};

}  // namespace skerry::api::testing
