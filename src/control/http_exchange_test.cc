#include "control/http_exchange.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <thread>

namespace skerry {
namespace {

// Takes one connection, reads until it has seen `until`, answers and closes.
class OneAnswer {
 public:
  OneAnswer(std::string until, std::string answer) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, until = std::move(until), answer = std::move(answer)] {
      const Fd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      char buffer[4096];
      while (asked_.find(until) == std::string::npos) {
        const auto got = ::recv(peer.get(), buffer, sizeof buffer, 0);
        if (got <= 0) return;
        asked_.append(buffer, static_cast<std::size_t>(got));
      }
      for (std::size_t at = 0; at < answer.size();) {
        const auto sent = ::send(peer.get(), answer.data() + at, answer.size() - at, MSG_NOSIGNAL);
        if (sent <= 0) return;
        at += static_cast<std::size_t>(sent);
      }
    });
  }
  ~OneAnswer() { join(); }
  OneAnswer(const OneAnswer&) = delete;
  OneAnswer& operator=(const OneAnswer&) = delete;
  void join() {
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] ProbeTarget target() const { return {"127.0.0.1", port_, "/x"}; }
  [[nodiscard]] const std::string& asked() const { return asked_; }

 private:
  Fd listener_;
  std::uint16_t port_ = 0;
  std::string asked_;
  std::thread thread_;
};

constexpr auto kPatience = std::chrono::seconds(10);

TEST(HttpExchange, CarriesTheQuestionAndTheWholeAnswer) {
  OneAnswer server("payload",
                   "HTTP/1.0 201 Created\r\nX: y\r\nCONTENT-TYPE: text/plain\r\n\r\n" + std::string(300'000, 'a'));
  const auto answer = ask_http({"POST", server.target(), "text/x", "payload"}, kPatience, nullptr);
  ASSERT_TRUE(answer) << answer.error().message();
  server.join();
  EXPECT_EQ(answer->status, 201);
  EXPECT_EQ(answer->content_type, "text/plain");
  EXPECT_EQ(answer->body, std::string(300'000, 'a'));
  EXPECT_TRUE(server.asked().starts_with("POST /x HTTP/1.0\r\n"));
  EXPECT_NE(server.asked().find("Content-Length: 7\r\n"), std::string::npos);
  EXPECT_NE(server.asked().find("Content-Type: text/x\r\n"), std::string::npos);
}

TEST(HttpExchange, TooLongNotHttpAndCutOffAreErrors) {
  const std::pair<std::string, ErrorCode> cases[] = {
      {"HTTP/1.0 200 OK\r\n\r\n" + std::string(kMaxExchangeAnswer, 'a'), ErrorCode::kResourceExhausted},
      {"SSH-2.0-x\r\n", ErrorCode::kCorrupt},
      {"HTTP/1.0 200 OK\r\nContent-", ErrorCode::kCorrupt},
      {"", ErrorCode::kCorrupt}};
  for (const auto& [text, code] : cases) {
    OneAnswer server("\r\n\r\n", text);
    const auto answer = ask_http({"GET", server.target(), {}, {}}, kPatience, nullptr);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, code) << text.substr(0, 30);
  }
}

TEST(HttpExchange, SilenceEndsAtTheDeadlineOrWhenNobodyWaits) {
  {
    OneAnswer silent("never", "");
    const auto answer = ask_http({"GET", silent.target(), {}, {}}, std::chrono::milliseconds(50), nullptr);
    EXPECT_EQ(answer.error().code, ErrorCode::kDeadlineExceeded);
  }
  OneAnswer silent("never", "");
  const auto answer = ask_http({"GET", silent.target(), {}, {}}, kPatience, [] { return true; });
  EXPECT_EQ(answer.error().code, ErrorCode::kCancelled);
}

TEST(ActionTarget, NeverLeavesTheEnvironment) {
  Environment environment;
  environment.ip = "192.168.127.100";
  const WorkloadAction action{"", "POST", "/reload", 1000};
  EXPECT_EQ(action_target(environment, action).error().code, ErrorCode::kConflict);
  environment.spec.base_url = "http://example.com:9000/app/";
  EXPECT_EQ(*action_target(environment, action), (ProbeTarget{"192.168.127.100", 9000, "/app/reload"}));
  environment.spec.isolation = Isolation::kMicrovm;
  EXPECT_EQ(*action_target(environment, action), (ProbeTarget{"192.168.127.100", 8080, "/reload"}));
}

}  // namespace
}  // namespace skerry
