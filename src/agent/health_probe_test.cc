#include "agent/health_probe.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <thread>
#include <vector>

#include "agent/proxy.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::agent {
namespace {

TEST(HealthTracker, OneSuccessIsHealth) {
  HealthTracker tracker(3);
  EXPECT_EQ(tracker.record(true), true);
  EXPECT_EQ(tracker.record(true), std::nullopt);
}

TEST(HealthTracker, SeveralFailuresAreItsLoss) {
  HealthTracker tracker(2);
  EXPECT_EQ(tracker.record(false), std::nullopt);
  EXPECT_EQ(tracker.record(false), false);
  EXPECT_EQ(tracker.record(false), std::nullopt);
  EXPECT_EQ(tracker.record(true), true);
  EXPECT_EQ(tracker.record(false), std::nullopt);
  EXPECT_EQ(tracker.record(true), std::nullopt);
}

// An HTTP server of one thread that answers every connection with `status` and the request's first line as body.
class Server {
 public:
  explicit Server(int status) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_.get(), 8), 0);
    EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, status] { serve(status); });
  }
  ~Server() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  void serve(int status) const {
    while (true) {
      const Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client) return;
      std::string request(4096, '\0');
      request.resize(sys::read(client.get(), request.data(), request.size()).value_or(0));
      const auto line = request.substr(0, request.find('\r'));
      static_cast<void>(sys::write_all(client.get(), cat("HTTP/1.1 ", status, " X\r\n\r\n", line)));
    }
  }
  Fd listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

wire::GuestHealthCheck quick_check() {
  wire::GuestHealthCheck check;
  check.endpoint = "/healthz";
  check.interval_ms = 5;
  check.timeout_ms = 2000;
  check.retries = 2;
  return check;
}

// The first change a probe reports.
std::pair<bool, std::string> first_change(std::uint16_t port) {
  auto loop = EventLoop::create().value();
  std::pair<bool, std::string> seen;
  const HttpUrl url{"127.0.0.1", port, "/healthz"};
  HealthProbe probe(loop, quick_check(), url, [&](bool healthy, const std::string& reason) {
    seen = {healthy, reason};
    loop.stop();
  });
  loop.after(std::chrono::seconds(10), [&] { loop.stop(); });
  EXPECT_TRUE(loop.run());
  return seen;
}

TEST(HealthProbe, TellsHealthAndIllness) {
  {
    const Server server(204);
    EXPECT_EQ(first_change(server.port()), std::pair(true, std::string("HTTP status 204")));
  }
  const Server ill(500);
  EXPECT_EQ(first_change(ill.port()), std::pair(false, std::string("HTTP status 500")));
}

TEST(HealthProbe, NobodyThereIsIllness) {
  std::uint16_t port = 0;
  {
    const Server gone(200);
    port = gone.port();
  }
  EXPECT_EQ(first_change(port).second, "Connection refused");
}

TEST(Proxy, CarriesARequestToTheWorkload) {
  const Server server(200);
  auto loop = EventLoop::create().value();
  // A port that was free a moment ago.
  std::uint16_t port = 0;
  {
    const Server probe(200);
    port = probe.port();
  }
  const auto proxy = Proxy::open(loop, {"127.0.0.1", server.port(), "/app"}, port);
  ASSERT_TRUE(proxy) << proxy.error().message();
  const Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  ASSERT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_TRUE(sys::write_all(client.get(), "GET /page HTTP/1.1\r\nHost: x\r\n\r\n"));
  std::string answer;
  ASSERT_TRUE(loop.watch(client.get(), EPOLLIN, [&](std::uint32_t) {
    std::string chunk(4096, '\0');
    chunk.resize(sys::read(client.get(), chunk.data(), chunk.size()).value_or(0));
    if (chunk.empty()) loop.stop();
    answer += chunk;
  }));
  loop.after(std::chrono::seconds(10), [&] { loop.stop(); });
  ASSERT_TRUE(loop.run());
  EXPECT_EQ(answer, "HTTP/1.1 200 X\r\n\r\nGET /app/page HTTP/1.1");
  loop.forget(client.get());
}

}  // namespace
}  // namespace skerry::agent
