#include "control/probe.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <thread>

#include "base/fd.h"
#include "base/sys_file.h"

namespace skerry {
namespace {

// A server on loopback that gives every client the same bytes and hangs up, or never answers.
class Server {
 public:
  explicit Server(std::string answer, bool answers = true) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(socket_.get(), 8), 0);
    EXPECT_EQ(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    if (!answers) return;
    thread_ = std::thread([this, answer = std::move(answer)] {
      while (true) {
        const Fd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!client) return;
        static_cast<void>(::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL));
        char rest[1024];
        static_cast<void>(sys::read(client.get(), rest, sizeof rest));
      }
    });
  }
  ~Server() {
    ::shutdown(socket_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  [[nodiscard]] ProbeTarget target() const { return {"127.0.0.1", port_, "/"}; }

 private:
  Fd socket_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

constexpr Duration kLong = std::chrono::seconds(10);

TEST(Probe, EndpointsInAllForms) {
  EXPECT_EQ(*parse_probe_endpoint("10.0.0.2", "/healthz"), (ProbeTarget{"10.0.0.2", 80, "/healthz"}));
  EXPECT_EQ(*parse_probe_endpoint("10.0.0.2", ":8080/x"), (ProbeTarget{"10.0.0.2", 8080, "/x"}));
  EXPECT_EQ(*parse_probe_endpoint("10.0.0.2", "8080"), (ProbeTarget{"10.0.0.2", 8080, "/"}));
  EXPECT_EQ(*parse_probe_endpoint("10.0.0.2", "http://127.0.0.1:81/a?b"), (ProbeTarget{"10.0.0.2", 81, "/a?b"}));
  EXPECT_EQ(*parse_probe_endpoint("10.0.0.2", "http://evil.example"), (ProbeTarget{"10.0.0.2", 80, "/"}));
  for (const char* wrong : {"https://x/", ":99999/", ":0", "/a b", "/a\r\nHost: x", "nonsense"}) {
    EXPECT_FALSE(parse_probe_endpoint("10.0.0.2", wrong)) << wrong;
  }
}

TEST(Probe, TheStatusDecides) {
  EXPECT_TRUE(probe_http(Server("HTTP/1.1 204 No Content\r\n\r\n").target(), kLong));
  EXPECT_TRUE(probe_http(Server("HTTP/1.0 302 Found\r\n\r\n").target(), kLong));
  EXPECT_FALSE(probe_http(Server("HTTP/1.1 503 Sorry\r\n\r\n").target(), kLong));
  EXPECT_EQ(probe_http(Server("SSH-2.0-x\r\n").target(), kLong).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(probe_http(Server("").target(), kLong).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(probe_http(Server(std::string(1U << 20U, 'x')).target(), kLong).error().code, ErrorCode::kCorrupt);
}

TEST(Probe, SilenceAndAbsenceAreErrorsInTime) {
  const Server silent("", false);
  EXPECT_TRUE(probe_tcp(silent.target(), kLong));
  EXPECT_EQ(probe_http(silent.target(), std::chrono::milliseconds(50)).error().code, ErrorCode::kDeadlineExceeded);
  ProbeTarget nobody;
  {
    const Server gone("", false);
    nobody = gone.target();
  }
  EXPECT_EQ(probe_tcp(nobody, kLong).error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace skerry
