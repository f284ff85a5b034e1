// TLS on the TCP port, asked by curl(1) and by clients that do not play by the rules.
#include "api/tls.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdio>
#include <vector>

#include "api/api_testing.h"
#include "api/tls_testing.h"
#include "base/text.h"

namespace skerry::api::testing {
namespace {

using namespace std::chrono_literals;

class TlsTest : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    Certificate ca({"test authority", {}});
    ca.write(dir_ / "ca");
    Certificate({"another authority", {}}).write(dir_ / "other-ca");
    Certificate({"skerry", "DNS:skerry.test,DNS:*.hosts.test,IP:127.0.0.1"}, &ca).write(dir_ / "server");
    config_.listen = "127.0.0.1:0";
    config_.tls = TlsFiles{dir_ / "server.pem", dir_ / "server.key", ""};
  }

  struct Said {
    int exit_code = 0;
    std::string status;  // of HTTP: "000" without an answer
    std::string body;
  };
  // A request by curl to https://HOST:PORT/PATH; `options` as on its command line.
  Said curl(const std::string& path, const std::string& options, const std::string& host = "127.0.0.1") {
    const auto port = server_->tcp_port();
    const std::string command =
        cat("curl --silent --max-time 20 --noproxy '*' --resolve '*:", port,
            ":127.0.0.1' --write-out '\n%{http_code}' ", options, " 'https://", host, ":", port, path, "' 2>/dev/null");
    std::FILE* pipe = ::popen(command.c_str(), "re");  // NOLINT(cert-env33-c): no word of it comes from outside
    std::string all;
    char chunk[65536];
    for (std::size_t got = 1; got > 0;) {
      got = std::fread(chunk, 1, sizeof chunk, pipe);
      all.append(chunk, got);
    }
    const int ended = ::pclose(pipe);
    const auto end = all.rfind('\n');
    return {WEXITSTATUS(ended), all.substr(end + 1), all.substr(0, end)};
  }
  std::string trust() { return cat("--cacert ", dir_ / "ca.pem"); }
  std::string with_token(const std::string& name = "ci") {
    const auto answer = client().call("POST", "/api/v1/tokens", cat(R"({"name":")", name, R"(","role":"viewer"})"));
    return cat(" --header 'Authorization: Bearer ", json(answer).text("token"), "'");
  }
  Error refused() {
    auto server = ApiServer::create(config_, {controller_, *operations_, images_, *store_, clock_, feed_, *deployments_,
                                              *snapshots_, kernels_, *zones_, policy_});
    EXPECT_FALSE(server);
    return server ? Error{} : server.error();
  }
};

TEST_F(TlsTest, ServesWhoTrustsItsAuthority) {
  serve();
  EXPECT_EQ(curl("/healthz", trust()).status, "200");
  EXPECT_EQ(curl("/healthz", cat("--cacert ", dir_ / "other-ca.pem")).exit_code, 60) << "not the one it knows";
  EXPECT_EQ(curl("/healthz", trust() + " --tls-max 1.1 --ciphers DEFAULT@SECLEVEL=0").status, "000");
  EXPECT_EQ(curl("/api/v1/system", trust()).status, "401");
  EXPECT_EQ(curl("/api/v1/system", trust() + with_token()).status, "200");
}

TEST_F(TlsTest, TheCertificatesNamesMayBeTheHost) {
  serve();
  const auto token = with_token();
  EXPECT_EQ(curl("/api/v1/system", trust() + token, "skerry.test").status, "200");
  EXPECT_EQ(curl("/api/v1/system", trust() + token, "a.hosts.test").status, "200");
  EXPECT_EQ(curl("/api/v1/system", trust() + token + " --header 'Host: evil.test'").status, "403");
  EXPECT_EQ(curl("/api/v1/system", trust() + token + " --header 'Host: a.b.hosts.test'").status, "403");
}

TEST_F(TlsTest, CarriesLargeAnswersAndSeveralRequests) {
  for (int i = 0; i < 500; ++i) {
    Environment environment;
    environment.id = cat(i);
    environment.spec.name = cat("e", i);
    controller_.add(environment);
  }
  serve();
  const auto plain = client().call("GET", "/api/v1/environments");
  ASSERT_GT(plain->body.size(), 100'000U);
  EXPECT_EQ(curl("/api/v1/environments", trust() + with_token()).body, plain->body);
}

TEST_F(TlsTest, EndsWithItsClient) {
  serve();
  const auto token = with_token();
  const auto readers = [&] { return client().call("GET", "/metrics")->body; };
  const auto said =
      curl("/api/v1/events?after=0", trust() + token + " --header 'Accept: text/event-stream' --max-time 1");
  EXPECT_NE(said.body.find("skerry events"), std::string::npos);
  const auto deadline = clock_.monotonic() + 10s;
  while (readers().find("skerry_event_readers 0\n") == std::string::npos) ASSERT_LT(clock_.monotonic(), deadline);
}

TEST_F(TlsTest, ClientsNeedACertificateAndATokenWhereBothAreAskedFor) {
  Certificate clients({"clients", {}});
  clients.write(dir_ / "client-ca");
  Certificate({"alice", "DNS:alice"}, &clients).write(dir_ / "alice");
  Certificate({"old", "DNS:old", -7200, -3600}, &clients).write(dir_ / "old");
  Certificate stranger({"strangers", {}});
  Certificate({"mallory", "DNS:mallory"}, &stranger).write(dir_ / "mallory");
  config_.tls->client_ca = dir_ / "client-ca.pem";
  serve();
  const auto token = with_token();
  const auto as = [&](const std::string& name) {
    return cat(trust(), " --cert ", dir_ / (name + ".pem"), " --key ", dir_ / (name + ".key"));
  };
  EXPECT_EQ(curl("/api/v1/system", as("alice") + token).status, "200");
  EXPECT_EQ(curl("/api/v1/system", as("alice")).status, "401") << "a certificate alone opens nothing";
  EXPECT_EQ(curl("/healthz", trust() + token).status, "000") << "without a certificate";
  EXPECT_EQ(curl("/healthz", as("old") + token).status, "000") << "expired";
  EXPECT_EQ(curl("/healthz", as("mallory") + token).status, "000") << "of another authority";
  EXPECT_NE(client().call("GET", "/metrics")->body.find("skerry_api_failed_tls_handshakes_total 3\n"),
            std::string::npos);
}

TEST_F(TlsTest, PlainHttpIsNotAnswered) {
  serve();
  auto socket = tcp();
  socket.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(socket.read_all().find("HTTP/1.1"), std::string::npos);
  EXPECT_EQ(curl("/healthz", trust()).status, "200");
}

// Neither one that never finishes its handshake, nor more of them than there may be, keeps anybody out.
TEST_F(TlsTest, SilentClientsHoldUpNobody) {
  config_.header_timeout = 30s;
  serve();
  std::vector<RawClient> silent;
  for (std::size_t i = 0; i < TlsFront::kMaxHandshakes + 20; ++i) {
    silent.push_back(tcp());
    silent.back().send("\x16\x03\x01");  // the first bytes of a handshake
  }
  EXPECT_EQ(curl("/healthz", trust()).status, "200");
  EXPECT_EQ(silent.front().read_all(), "") << "the oldest had to go";
}

TEST_F(TlsTest, AHandshakeHasItsTime) {
  config_.header_timeout = 200ms;
  serve();
  auto slow = tcp();
  slow.send("\x16\x03\x01");
  const auto begun = clock_.monotonic();
  EXPECT_EQ(slow.read_all(), "");
  EXPECT_LT(clock_.monotonic() - begun, 5s);
}

TEST_F(TlsTest, FilesThatCannotBeServedAreRefusedByName) {
  const Certificate ca({"authority", {}});
  Certificate({"old", "DNS:x", -7200, -3600}, &ca).write(dir_ / "old");
  Certificate({"early", "DNS:x", 3600, 7200}, &ca).write(dir_ / "early");
  const auto message = [&](const std::string& certificate, const std::string& key, const std::string& client_ca = "") {
    config_.tls = TlsFiles{certificate, key, client_ca};
    return refused().message();
  };
  EXPECT_NE(message(dir_ / "old.pem", dir_ / "old.key").find("old.pem: the certificate has expired"),
            std::string::npos);
  EXPECT_NE(message(dir_ / "early.pem", dir_ / "early.key").find("not yet valid"), std::string::npos);
  EXPECT_NE(message(dir_ / "server.pem", dir_ / "ca.key").find("ca.key"), std::string::npos);
  EXPECT_NE(message(dir_ / "missing.pem", dir_ / "ca.key").find("missing.pem"), std::string::npos);
  EXPECT_NE(message(dir_ / "server.key", dir_ / "server.key").find("is no certificate"), std::string::npos);
  EXPECT_NE(message(dir_ / "server.pem", dir_ / "server.key", dir_ / "server.key").find("holds no"), std::string::npos);
  ASSERT_EQ(::chmod((dir_ / "server.key").c_str(), 0640), 0);
  EXPECT_NE(message(dir_ / "server.pem", dir_ / "server.key").find("others than its owner"), std::string::npos);
}

TEST_F(TlsTest, OnlyWithItTheNetworkIsServed) {
  config_.listen = "0.0.0.0:0";
  serve();
  EXPECT_EQ(curl("/healthz", trust()).status, "200");
  config_.tls.reset();
  config_.socket_path = dir_ / "second.sock";
  EXPECT_NE(refused().message().find("without TLS"), std::string::npos);
}

TEST(TlsNames, StarsStandForOneLabel) {
  const std::vector<std::string> names{"skerry.test", "*.hosts.test", "127.0.0.1"};
  EXPECT_TRUE(is_named(names, "SKERRY.test"));
  EXPECT_TRUE(is_named(names, "a.hosts.test"));
  EXPECT_TRUE(is_named(names, "127.0.0.1"));
  EXPECT_FALSE(is_named(names, "hosts.test"));
  EXPECT_FALSE(is_named(names, ".hosts.test"));
  EXPECT_FALSE(is_named(names, "a.b.hosts.test"));
  EXPECT_FALSE(is_named(names, ""));
}

}  // namespace
}  // namespace skerry::api::testing
