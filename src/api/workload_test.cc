// The workload's own HTTP through the API: what passes in each direction, and what does not.
#include "api/api_testing.h"
#include "base/text.h"
#include "testing/one_answer.h"

namespace skerry::api::testing {
namespace {

using ::skerry::testing::OneAnswer;

class WorkloadTest : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    config_.listen = "127.0.0.1:0";
    serve();
  }
  void add(const OneAnswer& workload, const std::string& base_path = "") {
    Environment environment;
    environment.id = "0123456789abcdef";
    environment.spec.name = "web";
    environment.spec.image = "localhost/base:1";
    environment.spec.base_url = cat("http://127.0.0.1:", workload.target().port, base_path);
    environment.ip = "127.0.0.1";
    environment.status.state = State::kRunning;
    controller_.add(environment);
  }
  // An exchange; the answer whole.
  std::string ask(std::string_view line, std::string_view headers = {}, std::string_view body = {}) {
    auto socket = raw();
    socket.send(cat(line, " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", headers, "\r\n", body));
    return socket.read_all();
  }
  static bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
};

TEST_F(WorkloadTest, PassesMethodPathQueryHeadersAndBodyOn) {
  OneAnswer workload("body", "HTTP/1.1 404 No\r\nContent-Type: text/x\r\nX-Mine: 1\r\nContent-Length: 4\r\n\r\nnope");
  add(workload, "/app/");
  const auto answer = ask("PUT /api/v1/environments/web/agent/a%2Fb/c?x=1&y=%20",
                          "Content-Type: text/plain\r\nX-Theirs: 2\r\nContent-Length: 4\r\n", "body");
  workload.join();
  EXPECT_TRUE(workload.asked().starts_with("PUT /app/a%2Fb/c?x=1&y=%20 HTTP/1.0\r\n")) << workload.asked();
  EXPECT_TRUE(has(workload.asked(), "Content-Type: text/plain\r\n")) << "not only JSON: it is not for the daemon";
  EXPECT_TRUE(has(workload.asked(), "X-Theirs: 2\r\n"));
  EXPECT_TRUE(has(workload.asked(), "Content-Length: 4\r\n"));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 404")) << answer;
  EXPECT_TRUE(has(answer, "X-Mine: 1\r\n"));
  EXPECT_TRUE(has(answer, "Content-Type: text/x\r\n"));
  EXPECT_TRUE(answer.ends_with("\r\n\r\nnope"));
}

TEST_F(WorkloadTest, NeitherCredentialsNorHeadersOfAHopPass) {
  OneAnswer workload("\r\n\r\n",
                     "HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nSet-Cookie: a=b\r\n"
                     "NEL: {\"report_to\":\"x\"}\r\nReport-To: {}\r\nReporting-Endpoints: a=\"https://x\"\r\n"
                     "Accept-CH: Sec-CH-UA\r\nCritical-CH: Sec-CH-UA\r\n"
                     "Clear-Site-Data: *\r\nContent-Security-Policy: default-src 'none'\r\n\r\nhello");
  add(workload);
  const auto answer = ask("GET /api/v1/environments/web/agent",
                          "Connection: X-Secret\r\nX-Secret: 1\r\nTE: trailers\r\nCookie: c=d\r\nAuthorization: Bearer "
                          "skt_x\r\nX-Forwarded-For: 1.2.3.4\r\nProxy-Authorization: x\r\n");
  workload.join();
  EXPECT_TRUE(workload.asked().starts_with("GET / HTTP/1.0\r\n")) << workload.asked();
  for (const auto* gone : {"X-Secret", "TE:", "Cookie", "Authorization", "X-Forwarded", "skt_x"}) {
    EXPECT_FALSE(has(workload.asked(), gone)) << gone << " in " << workload.asked();
  }
  for (const auto* gone : {"X-Hop", "Keep-Alive", "Set-Cookie", "Clear-Site-Data", "NEL", "Report-To",
                           "Reporting-Endpoints", "Accept-CH", "Critical-CH"})
    EXPECT_FALSE(has(answer, gone)) << gone;
  EXPECT_TRUE(has(answer, "Content-Security-Policy: sandbox allow-scripts allow-forms\r\n")) << answer;
  EXPECT_TRUE(has(answer, "Content-Security-Policy: default-src 'none'\r\n")) << "its own counts too";
  EXPECT_TRUE(has(answer, "Content-Length: 5\r\n"));
}

TEST_F(WorkloadTest, RedirectsStayBelowIt) {
  OneAnswer workload("\r\n\r\n", "HTTP/1.0 302 Found\r\nLocation: /login\r\n\r\n");
  add(workload);
  EXPECT_TRUE(has(ask("GET /api/v1/environments/web/agent/"), "Location: /api/v1/environments/web/agent/login\r\n"));
}

// A request inside a request, in all the usual clothes: the workload sees one, or none.
TEST_F(WorkloadTest, NoRequestIsSmuggled) {
  const std::string inner = "GET /evil HTTP/1.1\r\nHost: x\r\n\r\n";
  {
    OneAnswer workload("GET /evil HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n");
    add(workload);
    ask("POST /api/v1/environments/web/agent/a", "Transfer-Encoding: chunked\r\n",
        cat("27\r\n", inner, "\r\n0\r\n\r\n").replace(0, 2, [&] {
          char size[8];
          std::snprintf(size, sizeof size, "%02zx", inner.size());
          return std::string(size);
        }()));
    workload.join();
    EXPECT_TRUE(has(workload.asked(), cat("Content-Length: ", inner.size(), "\r\n")))
        << "what was in chunks has a length: " << workload.asked();
    EXPECT_FALSE(has(workload.asked(), "chunked"));
  }
  for (const auto* headers :
       {"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 4\r\nContent-Length: 0\r\n",
        "Transfer-Encoding: xchunked\r\n", "X: a\r\n Transfer-Encoding: chunked\r\nContent-Length: x\r\n"}) {
    const auto answer = ask("POST /api/v1/environments/web/agent/a", headers, "0\r\n\r\n" + inner);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400") || answer.empty()) << headers << answer;
  }
}

TEST_F(WorkloadTest, WhatTheWorkloadSaysIsNotTrusted) {
  const std::pair<std::string, std::string> cases[] = {
      {"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nshort", "says 9"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "transfer coding"},
      {"HTTP/1.1 101 Switching\r\n\r\n", "101"},
      {"SSH-2.0-x\r\n\r\n", "the workload of"},
      {cat("HTTP/1.0 200 OK\r\n\r\n", std::string(5U << 20U, 'a')), "longer than"}};
  for (const auto& [said, complaint] : cases) {
    OneAnswer workload("\r\n\r\n", said);
    static_cast<void>(client().call("DELETE", "/api/v1/environments/web?force=1"));
    add(workload);
    const auto answer = ask("GET /api/v1/environments/web/agent/");
    EXPECT_FALSE(answer.starts_with("HTTP/1.1 2")) << answer.substr(0, 200);
    EXPECT_TRUE(has(answer, complaint)) << answer;
  }
}

TEST_F(WorkloadTest, HeadIsAskedAndAnsweredWithoutABody) {
  OneAnswer workload("\r\n\r\n",
                     "HTTP/1.0 200 OK\r\nContent-Type: text/x\r\nX-Mine: 1\r\nContent-Length: 9000000\r\n\r\n");
  add(workload);
  const auto answer = ask("HEAD /api/v1/environments/web/agent/big?x=1");
  workload.join();
  EXPECT_TRUE(workload.asked().starts_with("HEAD /big?x=1 HTTP/1.0\r\n")) << workload.asked();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer;
  EXPECT_TRUE(has(answer, "Content-Length: 9000000\r\n")) << "what GET would bring: " << answer;
  EXPECT_TRUE(has(answer, "X-Mine: 1\r\n"));
  EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
}

TEST_F(WorkloadTest, WhoMayAsk) {
  OneAnswer workload("\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nyes");
  add(workload);
  EXPECT_TRUE(ask("GET /api/v1/environments/web/agent/", "Skerry-Role: viewer\r\n").starts_with("HTTP/1.1 403"));
  EXPECT_TRUE(ask("GET /api/v1/environments/none/agent/").starts_with("HTTP/1.1 404"));
  EXPECT_TRUE(ask("HEAD /api/v1/environments/web/agent/", "Skerry-Role: viewer\r\n").starts_with("HTTP/1.1 403"));
  EXPECT_TRUE(ask("GET /api/v1/environments/web/agent/", "Skerry-Role: operator\r\n").starts_with("HTTP/1.1 200"));
  add_running("silent");
  EXPECT_TRUE(has(ask("GET /api/v1/environments/silent/agent/"), "says nowhere that its workload serves HTTP"));
}

}  // namespace
}  // namespace skerry::api::testing
