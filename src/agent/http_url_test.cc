#include "agent/http_url.h"

#include <gtest/gtest.h>

namespace skerry::agent {
namespace {

TEST(HttpUrl, Parses) {
  const auto url = parse_http_url("http://localhost:8081/app").value();
  EXPECT_EQ(url.host, "127.0.0.1");
  EXPECT_EQ(url.port, 8081);
  EXPECT_EQ(url.path, "/app");
  EXPECT_EQ(parse_http_url("http://10.0.0.1").value().port, 80);
  for (const char* bad : {"", "https://127.0.0.1", "http://", "http://name/", "http://127.0.0.1:x",
                          "http://127.0.0.1:0", "http://127.0.0.1/a b", "http://127.0.0.1:99999"}) {
    EXPECT_FALSE(parse_http_url(bad)) << bad;
  }
}

TEST(HttpUrl, EndpointsStandBelowTheBase) {
  EXPECT_EQ(resolve_endpoint("http://127.0.0.1:81/app/", "/healthz").value().path, "/app/healthz");
  EXPECT_EQ(resolve_endpoint("http://127.0.0.1:81", "healthz").value().path, "/healthz");
  EXPECT_EQ(resolve_endpoint("", "/x").value().port, 80);
  EXPECT_EQ(resolve_endpoint("http://127.0.0.1:81", "http://127.0.0.1:9/z").value().port, 9);
  EXPECT_FALSE(resolve_endpoint("", "/x\r\nEvil: 1"));
}

TEST(ResponseStatus, ReadsTheFirstLine) {
  EXPECT_EQ(response_status("HTTP/1.1 200 OK\r\n"), 200);
  EXPECT_EQ(response_status("HTTP/1.0 503 No\r\nx"), 503);
  EXPECT_EQ(response_status("HTTP/1.1 2"), std::nullopt);
  EXPECT_EQ(response_status("SSH-2.0-x\n"), 0);
  EXPECT_EQ(response_status("HTTP/1.1 xyz\n"), 0);
  EXPECT_EQ(response_status(std::string(100'000, 'x')), 0);
}

TEST(RewriteRequest, AddsThePrefixAndEndsTheConnection) {
  EXPECT_EQ(rewrite_request("GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n", "/app"),
            "GET /app/a?b HTTP/1.1\r\nConnection: close\r\nHost: x\r\n\r\n");
  EXPECT_EQ(rewrite_request("GET /a HT", "/app"), std::nullopt);
  EXPECT_EQ(rewrite_request("noise\n", "/app"), "noise\n");
}

}  // namespace
}  // namespace skerry::agent
