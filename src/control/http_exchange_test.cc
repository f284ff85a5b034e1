#include "control/http_exchange.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "testing/one_answer.h"

namespace skerry {
namespace {

using testing::OneAnswer;

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

TEST(HttpExchange, WhatCanBeReadInTwoWaysIsRefused) {
  const auto parsed = [](const std::string& head, const std::string& body) {
    return parse_http_answer(cat("HTTP/1.0 200 OK\r\n", head, "\r\n", body));
  };
  const auto good = parsed("A: b\r\nContent-Length: 2\r\nContent-Type: x/y\r\n", "ab");
  ASSERT_TRUE(good) << good.error().message();
  EXPECT_EQ(good->headers.size(), 3U);
  EXPECT_EQ(good->headers[0], (std::pair<std::string, std::string>{"A", "b"}));
  std::string flood;
  for (int i = 0; i < 200; ++i) flood += "A: b\r\n";
  for (const auto& head : std::vector<std::string>{
           "Content-Length: 3\r\n", "Content-Length: 1\r\n", "Content-Length: 2\r\nContent-Length: 3\r\n",
           "Content-Length: +2\r\n", "Transfer-Encoding: chunked\r\n", "A : b\r\n", " folded\r\n", "no colon\r\n",
           "A: b\x01\r\n", ": b\r\n", flood}) {
    const auto bad = parsed(head, "ab");
    ASSERT_FALSE(bad) << head;
    EXPECT_EQ(bad.error().code, ErrorCode::kCorrupt);
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

TEST(WorkloadTarget, NeverLeavesTheEnvironment) {
  Environment environment;
  environment.ip = "192.168.127.100";
  EXPECT_EQ(workload_target(environment, "/reload").error().code, ErrorCode::kConflict);
  environment.spec.base_url = "http://example.com:9000/app/";
  EXPECT_EQ(*workload_target(environment, "/reload"), (ProbeTarget{"192.168.127.100", 9000, "/app/reload"}));
  environment.spec.isolation = Isolation::kMicrovm;
  EXPECT_EQ(*workload_target(environment, "/reload"), (ProbeTarget{"192.168.127.100", 8080, "/reload"}));
}

}  // namespace
}  // namespace skerry
