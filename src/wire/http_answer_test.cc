#include "wire/http_answer.h"

#include <gtest/gtest.h>

namespace skerry {
namespace {

TEST(HttpAnswer, ConnectionsThatStayOpen_ByContentLength) {
  const std::string first = "HTTP/1.1 200 \r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello";
  for (std::size_t cut = 0; cut < first.find("\r\n\r\n") + 4; ++cut) {
    const auto size = http_answer_size(first.substr(0, cut));
    ASSERT_TRUE(size) << cut;
    EXPECT_FALSE(size->has_value()) << cut;
  }
  const auto size = http_answer_size(first + "HTTP/1.1 204 ");
  ASSERT_TRUE(size && *size);
  EXPECT_EQ(**size, first.size());
  EXPECT_EQ(parse_http_answer(first)->body, "hello");
}

TEST(HttpAnswer, WithoutABodyTheHeadIsAll) {
  const std::string none = "HTTP/1.1 204 \r\nServer: x\r\n\r\n";
  EXPECT_EQ(http_answer_size(none + "more")->value(), none.size());
  const std::string odd = "HTTP/1.1 204 \r\nContent-Length: 7\r\n\r\n";
  EXPECT_EQ(http_answer_size(odd)->value(), odd.size());
}

// What busybox httpd passes on from a script, and what it says itself, without a length.
TEST(HttpAnswer, SmallServersAreUnderstood) {
  const auto script = parse_http_answer("HTTP/1.1 200 OK\r\nContent-Type: text/plain\n\nhi\r\n\r\n");
  ASSERT_TRUE(script) << script.error().message();
  EXPECT_EQ(script->content_type, "text/plain");
  EXPECT_EQ(script->body, "hi\r\n\r\n");
  EXPECT_EQ(parse_http_answer("HTTP/1.0 501 Not Implemented\r\nConnection: close\r\n\r\n<HTML>")->status, 501);
  EXPECT_EQ(parse_http_answer("HTTP/1.0 200 OK\nA: b\n\r\nx")->body, "x");
  EXPECT_EQ(parse_http_answer("").error().step, "the connection was closed without an answer");
  EXPECT_EQ(parse_http_answer("HTTP/1.0 200 OK\r\nhi\n").error().step, "the answer was cut off within its head");
}

TEST(HttpAnswer, OfHeadOnlyTheHeadIsRead) {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n";
  EXPECT_FALSE(parse_http_answer(head)) << "of a whole answer the body is missing";
  for (const auto* more : {"", "a body all the same"}) {
    const auto answer = parse_http_answer(head + more, HttpAsked::kHead);
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(answer->length, 7U);
    EXPECT_EQ(answer->body, "");
  }
  EXPECT_FALSE(parse_http_answer("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n", HttpAsked::kHead)) << "cut off";
}

TEST(HttpAnswer, WhatCannotBeMeasuredIsRefused) {
  for (const auto* bytes : {"SSH-2.0 x\r\n\r\n", "HTTP/1.1 200 \r\nContent-Length: -1\r\n\r\n",
                            "HTTP/1.1 200 \r\nContent-Length: 99999999999999\r\n\r\n",
                            "HTTP/1.1 200 \r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                            "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n"}) {
    const auto size = http_answer_size(bytes);
    ASSERT_FALSE(size) << bytes;
  }
}

}  // namespace
}  // namespace skerry
