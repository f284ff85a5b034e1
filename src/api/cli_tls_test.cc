// The command line over the TCP port: with TLS, its certificates and tokens, and plain on this host.
#include <sys/stat.h>

#include "api/cli_testing.h"
#include "api/tls_testing.h"
#include "base/file_io.h"
#include "base/text.h"

namespace skerry::api::testing {
namespace {

using Arguments = std::vector<std::string>;

class CliTlsTest : public CliTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();  // NOLINT(bugprone-parent-virtual-call): served by each test, with its settings
    ca_.write(dir_ / "ca");
    Certificate({"another authority", {}}).write(dir_ / "other-ca");
    Certificate({"skerry", "DNS:localhost,IP:127.0.0.1"}, &ca_).write(dir_ / "server");
    config_.listen = "127.0.0.1:0";
    config_.tls = TlsFiles{dir_ / "server.pem", dir_ / "server.key", ""};
    add_running("web");
  }
  void serve_with_token() {
    serve();
    const auto answer = client().call("POST", "/api/v1/tokens", R"({"name":"ci","role":"operator"})");
    token_ = json(answer).text("token");
  }
  std::string url(const std::string& host = "127.0.0.1", const std::string& scheme = "https") {
    return cat(scheme, "://", host, ":", server_->tcp_port());
  }
  // `skerry --host … --cacert … ARGUMENTS`, with the token in its environment.
  int ask(Arguments arguments, const std::string& host = "127.0.0.1") {
    arguments.insert(arguments.begin(), {"--host", url(host), "--cacert", dir_ / "ca.pem"});
    return skerry(std::move(arguments), {"SKERRY_TOKEN=" + token_});
  }
  bool said(std::string_view text) { return err_.find(text) != std::string::npos; }

  const Certificate ca_{{"test authority", {}}};
  std::string token_;
};

TEST_F(CliTlsTest, AsksOverTlsByAddressAndByName) {
  serve_with_token();
  EXPECT_EQ(ask({"ls"}), 0) << err_;
  EXPECT_NE(out_.find("web"), std::string::npos) << out_;
  EXPECT_EQ(ask({"stop", "web"}, "localhost"), 0) << err_;
  EXPECT_EQ(ask({"show", "none"}), 3);
  EXPECT_EQ(ask({"token", "ls"}), 1) << "the token's role counts, not who runs the program";
  EXPECT_TRUE(said("role operator may not")) << err_;
  const Arguments environment{"SKERRY_HOST=" + url(), "SKERRY_CACERT=" + (dir_ / "ca.pem"), "SKERRY_TOKEN=" + token_};
  EXPECT_EQ(skerry({"ls"}, environment), 0) << err_;
  EXPECT_EQ(skerry({"token", "ls", "--socket", config_.socket_path}, environment), 0) << "a flag wins: " << err_;
}

TEST_F(CliTlsTest, LargeAnswersAndConversationsPass) {
  for (int i = 0; i < 2000; ++i) {
    Environment environment;
    environment.id = cat(i);
    environment.spec.name = cat("e", i);
    controller_.add(environment);
  }
  serve_with_token();
  ASSERT_EQ(skerry({"ls", "-a", "-o", "json"}), 0) << err_;
  const std::string plain = out_;
  ASSERT_GT(plain.size(), 500'000U);
  ASSERT_EQ(ask({"ls", "-a", "-o", "json"}), 0) << err_;
  EXPECT_EQ(out_, plain);
  EXPECT_EQ(ask({"exec", "web", "exit", "7"}), 7) << err_;
  EXPECT_EQ(ask({"exec", "web", "flood", "3000000"}), 0) << err_;
  EXPECT_EQ(out_.size(), 3'000'000U);
}

TEST_F(CliTlsTest, WhoCannotBeTrustedIsNotAsked) {
  serve_with_token();
  const auto with_ca = [&](const std::string& file, const std::string& host) {
    return skerry({"--host", url(host), "--cacert", dir_ / file, "ls"}, {"SKERRY_TOKEN=" + token_});
  };
  EXPECT_EQ(with_ca("other-ca.pem", "127.0.0.1"), 1);
  EXPECT_TRUE(said("its certificate is not trusted: ")) << err_;
  EXPECT_EQ(skerry({"--host", url(), "ls"}, {"SKERRY_TOKEN=" + token_}), 1);
  EXPECT_TRUE(said("--cacert")) << "whom the host trusts does not hold our test's authority: " << err_;
  EXPECT_EQ(with_ca("ca.pem", "127.0.0.2"), 1);
  server_.reset();
  Certificate({"localhost", "DNS:*.hosts.test,DNS:other.test"}, &ca_).write(dir_ / "server");
  serve();
  EXPECT_EQ(with_ca("ca.pem", "localhost"), 1) << "its common name does not count";
  EXPECT_TRUE(said("not for \"localhost\" (it is for: *.hosts.test, other.test)")) << err_;
  EXPECT_EQ(with_ca("ca.pem", "127.0.0.1"), 1);
  EXPECT_TRUE(said("not for \"127.0.0.1\"")) << err_;
}

TEST_F(CliTlsTest, CertificatesOfClients) {
  const Certificate clients({"clients", {}});
  clients.write(dir_ / "client-ca");
  Certificate({"alice", "DNS:alice"}, &clients).write(dir_ / "alice");
  Certificate({"mallory", "DNS:mallory"}, &ca_).write(dir_ / "mallory");
  config_.tls->client_ca = dir_ / "client-ca.pem";
  serve_with_token();
  const auto as = [&](const std::string& name) {
    return ask({"--cert", dir_ / (name + ".pem"), "--key", dir_ / (name + ".key"), "ls"});
  };
  EXPECT_EQ(as("alice"), 0) << err_;
  EXPECT_EQ(ask({"ls"}), 1);
  EXPECT_TRUE(said("--cert")) << "what to do: " << err_;
  EXPECT_EQ(as("mallory"), 1);
  EXPECT_TRUE(said("the daemon ended TLS")) << err_;
  EXPECT_EQ(ask({"--cert", dir_ / "alice.pem", "ls"}), 2);
  EXPECT_TRUE(said("--cert and --key go together")) << err_;
  EXPECT_EQ(ask({"--cert", dir_ / "alice.pem", "--key", dir_ / "mallory.key", "ls"}), 2);
  EXPECT_TRUE(said("mallory.key: is no key")) << err_;
  ASSERT_EQ(::chmod((dir_ / "alice.key").c_str(), 0644), 0);
  EXPECT_EQ(as("alice"), 2);
  EXPECT_TRUE(said("others than its owner can read it")) << err_;
}

TEST_F(CliTlsTest, Tokens) {
  serve_with_token();
  const Arguments base{"--host", url(), "--cacert", dir_ / "ca.pem"};
  const auto with = [&](const Arguments& more, const Arguments& env) {
    Arguments all = base;
    all.insert(all.end(), more.begin(), more.end());
    return skerry(all, env);
  };
  EXPECT_EQ(with({"ls"}, {}), 1);
  EXPECT_TRUE(said("a token is needed")) << err_;
  EXPECT_EQ(with({"ls"}, {"SKERRY_TOKEN=skt_wrong"}), 1);
  EXPECT_TRUE(said("not known")) << err_;
  const std::string file = dir_ / "token";
  ASSERT_TRUE(write_file_atomic(file, token_ + "\n", 0600));
  EXPECT_EQ(with({"--token-file", file, "ls"}, {"SKERRY_TOKEN=skt_wrong"}), 0) << "the flag wins: " << err_;
  EXPECT_EQ(with({"ls"}, {"SKERRY_TOKEN_FILE=" + file}), 0) << err_;
  ASSERT_EQ(::chmod(file.c_str(), 0644), 0);
  EXPECT_EQ(with({"--token-file", file, "ls"}, {}), 2);
  EXPECT_TRUE(said("chmod 600")) << err_;
  EXPECT_EQ(with({"ls"}, {"SKERRY_TOKEN=a\r\nEvil: b"}), 2);
}

TEST_F(CliTlsTest, PlainHttpIsForThisHostOnly) {
  config_.tls.reset();
  serve_with_token();
  const Arguments env{"SKERRY_TOKEN=" + token_};
  EXPECT_EQ(skerry({"--host", url("127.0.0.1", "http"), "ls"}, env), 0) << err_;
  EXPECT_EQ(skerry({"--host", url("localhost", "http"), "ls"}, env), 0) << err_;
  EXPECT_EQ(skerry({"--host", "http://skerry.test:80", "ls"}, env), 2);
  EXPECT_TRUE(said("in clear")) << err_;
  EXPECT_EQ(skerry({"--host", url(), "--cacert", dir_ / "ca.pem", "ls"}, env), 1) << "TLS to a port without it";
  EXPECT_TRUE(said("handshake failed")) << err_;
}

TEST_F(CliTlsTest, UrlsAreReadWithCare) {
  serve();
  for (const auto* bad : {"127.0.0.1:8080", "ftp://a", "https://", "https://a:0", "https://a:70000", "https://a/b",
                          "https://u:p@a", "https://a:b", "https://::1:80", "https://[::1", "https://[::1]x",
                          "https://a]b", "https://a?token=x", "https://a\nb"}) {
    EXPECT_EQ(skerry({"--host", bad, "ls"}), 2) << bad;
    EXPECT_TRUE(said("--host")) << err_;
  }
  EXPECT_EQ(skerry({"--host", "https://a", "ls", "--socket", config_.socket_path}), 2);
}

}  // namespace
}  // namespace skerry::api::testing
