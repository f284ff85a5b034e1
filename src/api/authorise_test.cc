// Who may: role × route over TCP, tokens, Host and Origin.

#include "api/api_testing.h"
#include "api/permit.h"
#include "api/route.h"
#include "api/token_store.h"
#include "base/file_io.h"
#include "base/text.h"

namespace skerry::api::testing {
namespace {

class TcpTest : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    config_.listen = "127.0.0.1:0";
    config_.max_connections = 64;
    serve();
  }
  // The status of one request.
  int ask(std::string_view method, std::string_view path, std::string_view headers, std::string_view content = {}) {
    auto socket = tcp();
    socket.send(cat(method, " ", path, " HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\nConnection: close\r\n",
                    headers, content.empty() ? "" : "Content-Type: application/json\r\n",
                    method == "GET" ? "\r\n" : cat("Content-Length: ", content.size(), "\r\n\r\n", content)));
    const auto answer = socket.read_until("\r\n\r\n");
    return answer.size() < 12 ? 0 : parse_int<int>(std::string_view(answer).substr(9, 3), "status").value_or(0);
  }
  std::string token(std::string_view role, std::string_view zones = "[]", std::string_view name = {}) {
    const auto answer = client().call(
        "POST", "/api/v1/tokens",
        cat(R"({"name":")", name.empty() ? role : name, R"(","role":")", role, R"(","zones":)", zones, "}"));
    return json(answer).text("token");
  }
  // The answer to GET, header and all.
  std::string body(std::string_view path, std::string_view headers) {
    auto socket = tcp();
    socket.send(cat("GET ", path, " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", headers, "\r\n"));
    return socket.read_all();
  }
  static std::string bearer(std::string_view secret) { return cat("Authorization: Bearer ", secret, "\r\n"); }
};

std::string example_path(std::string_view pattern) {
  std::string out;
  for (const auto part : split(pattern, '/')) {
    if (!part.empty()) out += cat("/", part.starts_with('{') ? "x" : part);
  }
  return out;
}

// Every route, every role: below the route's role it is refused before its handler runs, from it on it is not.
TEST_F(TcpTest, MatrixOfRolesAndRoutes) {
  const std::pair<Role, std::string> callers[] = {{Role::kNobody, ""},
                                                  {Role::kViewer, bearer(token("viewer"))},
                                                  {Role::kOperator, bearer(token("operator"))},
                                                  {Role::kAdmin, bearer(token("admin"))}};
  for (const auto& route : routes()) {
    for (const auto& [role, header] : callers) {
      const int status = ask(route.method, example_path(route.path), header);
      const bool refused = status == 401 || status == 403;
      EXPECT_EQ(refused, role < route.role)
          << route.method << " " << route.path << " as " << to_text(role) << ": " << status;
      if (role == Role::kNobody && refused) {
        EXPECT_EQ(status, 401);
      }
    }
  }
}

// The same for tokens that are limited to a zone: what is for the whole host is refused them, whatever their role, and
// everything else is as for the role alone.
TEST_F(TcpTest, MatrixOfRolesRoutesAndZones) {
  const std::pair<Role, std::string> callers[] = {{Role::kViewer, bearer(token("viewer", R"(["work"])"))},
                                                  {Role::kOperator, bearer(token("operator", R"(["work"])"))},
                                                  {Role::kAdmin, bearer(token("admin", R"(["work"])"))}};
  for (const auto& route : routes()) {
    for (const auto& [role, header] : callers) {
      const int status = ask(route.method, example_path(route.path), header);
      EXPECT_EQ(status == 403, role < route.role || is_host_wide(route))
          << route.method << " " << route.path << " as " << to_text(role) << " of a zone: " << status;
    }
  }
}

TEST_F(TcpTest, NoZonesTokenMakesAWiderOne) {
  const auto header = bearer(token("admin", R"(["work"])"));
  EXPECT_EQ(ask("GET", "/api/v1/tokens", header), 403);
  EXPECT_EQ(ask("POST", "/api/v1/tokens", header), 403);
  EXPECT_EQ(ask("POST", "/api/v1/plugins", header), 403);
}

TEST_F(TcpTest, WithoutATokenNothingIsToldButHealth) {
  EXPECT_EQ(ask("GET", "/healthz", ""), 200);
  EXPECT_EQ(ask("GET", "/api/v1/environments", ""), 401);
  EXPECT_EQ(ask("GET", "/api/v1/no-such-path", ""), 401);
  EXPECT_EQ(ask("GET", "/api/v1/environments", "Authorization: Basic cm9vdDpyb290\r\n"), 401);
  EXPECT_EQ(ask("GET", "/api/v1/environments", bearer("skt_" + std::string(43, 'A'))), 401);
}

TEST_F(TcpTest, AStrangersBodyIsNotEvenRead) {
  auto socket = tcp();
  socket.send("POST /api/v1/environments HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000000\r\n\r\n");
  EXPECT_TRUE(socket.read_until("\r\n\r\n").starts_with("HTTP/1.1 401")) << "before any of it was sent";
}

TEST_F(TcpTest, StrangersAreCountedInTheAuditTrailNotListed) {
  for (int i = 0; i < 50; ++i) ask("POST", cat("/api/v1/environments/", std::string(3000, 'x')), "");
  const auto trail = read_file(config_.audit_path).value();
  EXPECT_NE(trail.find("calls without valid credentials"), std::string::npos);
  EXPECT_LT(trail.size(), 10'000U);
}

TEST_F(TcpTest, StrangersCannotUseUpTheUnixSocketsConnections) {
  std::vector<RawClient> held;
  held.reserve(config_.max_connections);
  for (std::size_t i = 0; i < config_.max_connections; ++i) held.push_back(tcp());
  EXPECT_EQ(tcp().read_all(), "") << "no more of them";
  EXPECT_EQ(client().call("GET", "/healthz")->status, 200);
}

TEST_F(TcpTest, ARevokedTokenIsNobodys) {
  const auto header = bearer(token("viewer"));
  EXPECT_EQ(ask("GET", "/api/v1/environments", header), 200);
  EXPECT_EQ(client().call("DELETE", "/api/v1/tokens/viewer")->status, 204);
  EXPECT_EQ(ask("GET", "/api/v1/environments", header), 401);
}

TEST_F(TcpTest, ATokenInTheUrlIsNotTaken) {
  const auto secret = token("viewer");
  EXPECT_EQ(ask("GET", cat("/api/v1/environments?token=", secret), ""), 401);
}

TEST_F(TcpTest, OtherSitesPagesAreRefused) {
  const auto header = bearer(token("viewer"));
  EXPECT_EQ(ask("GET", "/api/v1/environments", cat(header, "Origin: http://evil.example\r\n")), 403);
  EXPECT_EQ(ask("GET", "/api/v1/environments", cat(header, "Origin: http://localhost\r\n")), 200);
  auto socket = tcp();
  socket.send(cat("GET /api/v1/environments HTTP/1.1\r\nHost: evil.example\r\n", header, "\r\n"));
  EXPECT_TRUE(socket.read_until("\r\n\r\n").starts_with("HTTP/1.1 403"));
}

TEST_F(TcpTest, AZonesTokenSeesOnlyItsZones) {
  auto other = add_running("other");
  Environment mine = other;
  mine.spec.name = "mine";
  mine.spec.zone = "work";
  controller_.add(mine);
  const auto header = bearer(token("operator", R"(["work"])"));
  EXPECT_EQ(ask("GET", "/api/v1/environments/mine", header), 200);
  EXPECT_EQ(ask("GET", "/api/v1/environments/other", header), 404);
  EXPECT_EQ(ask("POST", "/api/v1/environments/other/stop", header), 404);
  const auto list = body("/api/v1/environments", header);
  EXPECT_NE(list.find("mine"), std::string::npos);
  EXPECT_EQ(list.find("other"), std::string::npos);
  EXPECT_NE(body("/api/v1/system", header).find(R"("total":1)"), std::string::npos);
}

TEST_F(TcpTest, AZonesTokenIsToldOnlyOfItsZones) {
  auto mine = add_running("mine");
  mine.spec.zone = "work";
  std::vector<Event> events;
  events.reserve(400);
  for (int i = 0; i < 300; ++i) events.push_back(environment_event(add_running("other"), "started", clock_.now()));
  events.push_back(environment_event(mine, "started", clock_.now()));
  Event shared;
  shared.type = "plugin.installed";
  shared.resource = "nginx";
  Event hidden;
  hidden.type = "token.created";
  hidden.resource = "secret";
  events.push_back(shared);
  events.push_back(hidden);
  ASSERT_TRUE(store_->append_events(events));
  const auto header = bearer(token("viewer", R"(["work"])"));
  const auto told = body("/api/v1/events?limit=5", header + "Accept: application/json\r\n");
  EXPECT_EQ(told.find("other"), std::string::npos);
  EXPECT_EQ(told.find("secret"), std::string::npos);
  EXPECT_NE(told.find(R"("resource":"mine")"), std::string::npos) << "the limit counts what may be seen";
  EXPECT_NE(told.find(R"("resource":"nginx")"), std::string::npos);
  auto socket = tcp();
  socket.send(
      cat("GET /api/v1/events?after=0 HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n", header, "\r\n"));
  const auto streamed = socket.read_until("plugin.installed");
  EXPECT_NE(streamed.find("mine"), std::string::npos);
  EXPECT_EQ(streamed.find("other"), std::string::npos);
}

// Streams, conversations and long waits end with the right to them; those of others go on.
TEST_F(TcpTest, WhatLastsLongerThanItsTokenIsHungUpOn) {
  add_running("web");
  const auto doomed = bearer(token("operator", "[]", "doomed"));
  const auto kept = bearer(token("operator", "[]", "kept"));
  const std::string exec = R"({"command":["cat"]})";
  const std::string requests[] = {
      "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n",
      cat("POST /api/v1/environments/web/exec HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: "
          "skerry-frames\r\nContent-Type: application/json\r\nContent-Length: ",
          exec.size(), "\r\n"),
      "POST /api/v1/environments/web/wait HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"};
  std::vector<RawClient> theirs;
  std::vector<RawClient> ours;
  for (const auto& request : requests) {
    const bool has_body = request.find("json") != std::string::npos;
    for (const auto& [header, clients] : {std::pair(doomed, &theirs), std::pair(kept, &ours)}) {
      clients->push_back(tcp());
      ASSERT_TRUE(clients->back().send(cat(request, header, "\r\n", has_body ? exec : "")));
    }
  }
  for (auto* clients : {&theirs, &ours}) {
    clients->at(0).read_until("\r\n\r\n");
    EXPECT_TRUE(clients->at(1).read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
  }
  ASSERT_EQ(client().call("DELETE", "/api/v1/tokens/doomed")->status, 204);
  for (auto& each : theirs) {
    pollfd end{each.fd(), POLLRDHUP, 0};
    EXPECT_EQ(::poll(&end, 1, 10'000), 1) << requests[&each - theirs.data()];
  }
  for (auto& each : ours) {
    pollfd end{each.fd(), POLLRDHUP, 0};
    EXPECT_EQ(::poll(&end, 1, 0), 0) << requests[&each - ours.data()];
  }
  EXPECT_EQ(ask("GET", "/api/v1/environments", kept), 200);
}

TEST_F(TcpTest, AZonesTokenHasOnlyItsZonesDeployments) {
  ASSERT_TRUE(deployments_->add("mine", "", R"({"image":"a","zone":"work"})", 0));
  ASSERT_TRUE(deployments_->add("other", "", R"({"image":"a"})", 0));
  const auto header = bearer(token("operator", R"(["work"])"));
  const auto list = body("/api/v1/deployments", header);
  EXPECT_NE(list.find("mine"), std::string::npos);
  EXPECT_EQ(list.find("other"), std::string::npos);
  EXPECT_EQ(ask("GET", "/api/v1/deployments/other", header), 404);
  EXPECT_EQ(ask("DELETE", "/api/v1/deployments/other", header), 404);
  EXPECT_EQ(ask("DELETE", "/api/v1/deployments/mine", header), 204);
}

// Every body that reaches the host, for every caller that may create: by itself, and as a replica's configuration.
TEST_F(TcpTest, WhatReachesTheHostIsForAdminsOfTheWholeHost) {
  const auto sum = cat("sha256:", std::string(64, 'a'));
  const auto artifact = [&](std::string_view name, std::string_view url) {
    return cat(R"("isolation":"microvm","image":"a",")", name, R"(":{"url":")", url, R"(","checksum":")", sum, R"("})");
  };
  const std::string bodies[] = {
      R"("image":"a","mounts":["/:/host"])",
      R"("rootfs_path":"/")",
      R"("image":"a","security":{"cap_add":["CAP_SYS_ADMIN"]})",
      R"("image":"a","security":{"seccomp_profile":"unconfined"})",
      R"("image":"a","security":{"allow_new_privileges":true})",
      R"("isolation":"microvm","image":"a","devices":{"pci_passthrough":["0000:01:00.0"],"allowlist":["8086:1521"]})",
      artifact("rootfs", "file:///etc/shadow"),
      artifact("rootfs", "https://10.0.0.1/"),
      artifact("initramfs", "file:///etc/shadow"),
      artifact("initramfs", "https://10.0.0.1/")};
  const std::pair<bool, std::string> callers[] = {{false, bearer(token("operator"))},
                                                  {false, bearer(token("admin", R"(["work"])", "zone-admin"))},
                                                  {true, bearer(token("admin"))}};
  for (const auto& [owns_host, header] : callers) {
    for (const auto& fields : bodies) {
      const auto config = cat(R"({"zone":"work",)", fields, "}");
      const auto environment = cat(R"({"name":"x",)", std::string_view(config).substr(1));
      const auto deployment = cat(R"({"name":"d","replicas":0,"config":)", config, "}");
      EXPECT_EQ(ask("POST", "/api/v1/environments", header, environment) != 403, owns_host) << environment;
      EXPECT_EQ(ask("POST", "/api/v1/deployments", header, deployment) != 403, owns_host) << deployment;
      static_cast<void>(ask("DELETE", "/api/v1/deployments/d", header));
    }
    EXPECT_EQ(ask("POST", "/api/v1/deployments", header,
                  R"({"name":"d","replicas":0,"config":{"zone":"work","image":"a"},)"
                  R"("service":{"address":"8.8.8.8","ports":["53"]}})") != 403,
              owns_host);
    EXPECT_NE(ask("POST", "/api/v1/environments", header, R"({"name":"y","zone":"work","image":"a"})"), 403);
  }
}

// Of one that a plugin gave a disk, the operator who runs it is still asked nothing.
TEST_F(TcpTest, WhatAPluginFetchesIsItsInstallersMatter) {
  Environment environment = add_running("plugged", Isolation::kMicrovm);
  environment.id = "fedcba9876543210";
  environment.spec.name = "disk";
  environment.spec.root_disk = Artifact{"file:///disk", cat("sha256:", std::string(64, 'a')), "ext4"};
  controller_.add(environment);
  EXPECT_NE(ask("POST", "/api/v1/environments/disk/exec", bearer(token("operator")), R"({"command":["true"]})"), 403);
}

TEST_F(TcpTest, WhoCouldNotHaveMadeItDoesNotGetIn) {
  Environment environment = add_running("plain");
  environment.id = "fedcba9876543210";
  environment.spec.name = "adm";
  environment.spec.mounts.push_back({"/", "/host", false});
  controller_.add(environment);
  const auto header = bearer(token("operator"));
  const std::string command = R"({"command":["true"]})";
  EXPECT_EQ(ask("POST", "/api/v1/environments/adm/exec", header, command), 403);
  EXPECT_EQ(ask("POST", "/api/v1/environments/adm/attach", header + "Upgrade: skerry-frames\r\nConnection: Upgrade\r\n",
                "{}"),
            403);
  EXPECT_EQ(ask("POST", "/api/v1/environments/adm/copy", header + "Upgrade: skerry-frames\r\nConnection: Upgrade\r\n",
                R"({"direction":"out","path":"/host/etc/shadow"})"),
            403);
  EXPECT_NE(ask("POST", "/api/v1/environments/plain/exec", header, command), 403);
  EXPECT_NE(ask("POST", "/api/v1/environments/adm/exec", bearer(token("admin")), command), 403);

  const std::string config = R"({"image":"a","mounts":["/:/host"]})";
  ASSERT_TRUE(deployments_->add("web", "", config, 0));
  EXPECT_EQ(ask("PATCH", "/api/v1/deployments/web", header, R"({"plugin":"other"})"), 403);
  EXPECT_EQ(ask("PATCH", "/api/v1/deployments/web", header, R"({"config":{"image":"mine"}})"), 403)
      << "what an admin has made is not replaced";
  EXPECT_EQ(ask("PATCH", "/api/v1/deployments/web", header, R"({"replicas":1})"), 200);
}

// Whoever only looks reads no passwords; and what a plugin says to its guests, no zone's token.
TEST_F(TcpTest, SecretsAreForThoseWhoMayBeInside) {
  Environment environment = add_running("plain");
  environment.id = "fedcba9876543210";
  environment.spec.name = "seeded";
  environment.spec.zone = "work";
  environment.spec.isolation = Isolation::kMicrovm;
  environment.spec.cloud_init = CloudInit{"#cloud-config\npassword: s3cret\n", "", ""};
  environment.spec.env["TOKEN"] = "t-s3cret";
  controller_.add(environment);
  const std::string config = R"({"image":"a","zone":"work","isolation":"microvm","env":{"TOKEN":"t-s3cret"},)"
                             R"("cloud_init":{"user_data":"#!/bin/s3cret"}})";
  ASSERT_TRUE(deployments_->add("web", "", config, 0));
  const std::string manifest =
      R"({"schema_version":"1","name":"seed","version":"1","image":"localhost/base:1",)"
      R"("workload":{"env":{"TOKEN":"t-s3cret"}},"cloud_init":{"vendor_data":"#!/bin/s3cret"}})";
  ASSERT_EQ(client().call("POST", "/api/v1/plugins", manifest)->status, 201);
  const auto tells = [&](std::string_view path, const std::string& header) {
    const auto said = body(path, header);
    EXPECT_TRUE(said.starts_with("HTTP/1.1 200")) << said;
    const bool told = said.find("s3cret") != std::string::npos;
    EXPECT_EQ(told, said.find("t-s3cret") != std::string::npos) << said;
    EXPECT_NE(told, said.find(R"("cloud_init":{"hidden":true})") != std::string::npos) << said;
    EXPECT_NE(told, said.find(R"("TOKEN":null)") != std::string::npos) << said;
    return told;
  };
  const auto viewer = bearer(token("viewer"));
  const auto inside = bearer(token("operator", R"(["work"])"));
  EXPECT_FALSE(tells("/api/v1/environments/seeded", viewer));
  EXPECT_FALSE(tells("/api/v1/environments", viewer));
  EXPECT_FALSE(tells("/api/v1/deployments/web", viewer));
  EXPECT_FALSE(tells("/api/v1/deployments", viewer));
  EXPECT_FALSE(tells("/api/v1/plugins/seed/manifest", viewer));
  EXPECT_TRUE(tells("/api/v1/environments/seeded", inside));
  EXPECT_TRUE(tells("/api/v1/deployments/web", inside));
  EXPECT_FALSE(tells("/api/v1/plugins/seed/manifest", inside));
  EXPECT_TRUE(tells("/api/v1/plugins/seed/manifest", bearer(token("admin"))));
}

// The one verb that viewers may call.
TEST_F(TcpTest, WhoOnlyWaitsIsToldNoSecrets) {
  Environment environment = add_running("plain");
  environment.id = "fedcba9876543210";
  environment.spec.name = "job";
  environment.spec.env["TOKEN"] = "t-s3cret";
  environment.status.state = State::kStopped;
  controller_.add(environment);
  const auto said = [&](std::string_view role) {
    auto socket = tcp();
    socket.send(cat("POST /api/v1/environments/job/wait HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n",
                    "Content-Length: 0\r\n", bearer(token(role)), "\r\n"));
    return socket.read_all();
  };
  const auto viewer = said("viewer");
  EXPECT_TRUE(viewer.starts_with("HTTP/1.1 200")) << viewer;
  EXPECT_EQ(viewer.find("s3cret"), std::string::npos) << viewer;
  EXPECT_NE(viewer.find(R"("TOKEN":null)"), std::string::npos) << viewer;
  EXPECT_NE(said("operator").find("t-s3cret"), std::string::npos);
}

TEST_F(TcpTest, OnlyAdminsPullUnchecked) {
  const std::string pull = R"({"reference":"localhost/x:1","insecure":true})";
  EXPECT_EQ(ask("POST", "/api/v1/images", bearer(token("operator")), pull), 403);
  EXPECT_EQ(ask("POST", "/api/v1/images", bearer(token("admin")), pull), 202);
}

// What a name stands for is the same for all zones.
TEST_F(TcpTest, AZonesTokenPullsNoNameThatIsThere) {
  const auto header = bearer(token("operator", R"(["default"])"));
  EXPECT_EQ(ask("POST", "/api/v1/images", header, R"({"reference":"localhost/base:1"})"), 403);
  EXPECT_EQ(ask("POST", "/api/v1/images", header, R"({"reference":"localhost/new:1"})"), 202);
  const auto pinned = cat(R"({"reference":"localhost/base@sha256:)", std::string(64, 'a'), R"("})");
  EXPECT_EQ(ask("POST", "/api/v1/images", header, pinned), 202);
  EXPECT_EQ(ask("POST", "/api/v1/images", bearer(token("admin")), R"({"reference":"localhost/base:1"})"), 202);
}

// A replica is counted and served to: nobody makes one but the deployment.
TEST_F(TcpTest, NobodyForgesAReplica) {
  const auto header = bearer(token("admin"));
  for (const std::string claim : {R"("deployment":"web")", R"("labels":{"skerry.revision":"0123456789abcdef"})"}) {
    EXPECT_EQ(ask("POST", "/api/v1/environments", header, cat(R"({"name":"x","image":"a",)", claim, "}")), 400)
        << claim;
    EXPECT_EQ(ask("POST", "/api/v1/deployments", header,
                  cat(R"({"name":"d","replicas":0,"config":{"image":"a",)", claim, "}}")),
              400)
        << claim;
  }
}

TEST_F(TcpTest, OnlyAdminsNameTheAddressOfAService) {
  const auto operator_header = bearer(token("operator"));
  const auto admin_header = bearer(token("admin"));
  const auto create = [&](const std::string& role, const std::string& name, const std::string& service) {
    return ask("POST", "/api/v1/deployments", role == "admin" ? admin_header : operator_header,
               cat(R"({"name":")", name, R"(","replicas":0,"config":{"image":"a"},"service":)", service, "}"));
  };
  const std::string named = R"({"address":"8.8.8.8","ports":["53"]})";
  EXPECT_EQ(create("operator", "dns", named), 403);
  EXPECT_EQ(create("operator", "dns", R"({"ports":["53"]})"), 201);
  EXPECT_EQ(ask("PATCH", "/api/v1/deployments/dns", operator_header, cat(R"({"service":)", named, "}")), 403);
  EXPECT_EQ(create("admin", "mine", named), 201);
  // Who changes what answers at an address has it as well.
  EXPECT_EQ(ask("PATCH", "/api/v1/deployments/mine", operator_header, R"({"config":{"image":"b"}})"), 403);
  EXPECT_EQ(ask("PATCH", "/api/v1/deployments/mine", operator_header,
                R"({"config":{"image":"b"},"service":{"ports":["53"]}})"),
            403);
  EXPECT_EQ(ask("PATCH", "/api/v1/deployments/dns", operator_header, R"({"config":{"image":"b"}})"), 200);
  EXPECT_EQ(ask("PATCH", "/api/v1/deployments/mine", operator_header, R"({"service":null})"), 200);
  EXPECT_EQ(create("operator", "bad", R"({"ports":["53"],"x":1})"), 400);
  EXPECT_EQ(create("operator", "bad", R"({"ports":["1.2.3.4:53:53"]})"), 400);
  EXPECT_EQ(create("operator", "bad", R"({"address":"","ports":[]})"), 400);
}

TEST_F(TcpTest, NobodyLearnsWhichZonesThereAre) {
  EXPECT_EQ(body("/api/v1/environments", "Skerry-Zones: nosuch\r\n").find("work"), std::string::npos);
  EXPECT_EQ(ask("GET", "/api/v1/environments", "Skerry-Zones: nosuch\r\n"), 401);
  const auto header = bearer(token("operator", R"(["default"])"));
  for (const std::string_view zone : {"work", "nosuch"}) {
    const auto asked = [&](std::string_view path, std::string_view config) {
      return ask("POST", path, header, cat(R"({"name":"d",)", config, zone, R"("}})"));
    };
    EXPECT_EQ(asked("/api/v1/deployments", R"("replicas":0,"config":{"image":"a","zone":")"), 403) << zone;
    EXPECT_EQ(ask("GET", "/api/v1/environments", cat(header, "Skerry-Zones: ", zone, "\r\n")), 403) << zone;
  }
}

class ZonesTest : public ApiTest {};

TEST_F(ZonesTest, NobodyIsLimitedToAZoneThatIsNot) {
  serve();
  const auto create = [&](const std::string& zones) {
    return client().call("POST", "/api/v1/tokens", cat(R"({"name":"t","role":"viewer","zones":)", zones, "}"));
  };
  const auto refused = create(R"(["work","wrok"])");
  EXPECT_EQ(refused->status, 400);
  EXPECT_NE(refused->body.find("there is no zone"), std::string::npos) << refused->body;
  EXPECT_EQ(create(R"(["work"])")->status, 201);
  const auto lowered = [&](const std::string& zones) {
    auto socket = raw();
    socket.send(
        cat("GET /api/v1/environments HTTP/1.1\r\nHost: x\r\nConnection: close\r\nSkerry-Zones: ", zones, "\r\n\r\n"));
    return socket.read_all().substr(9, 3);
  };
  EXPECT_EQ(lowered("work,default"), "200");
  EXPECT_EQ(lowered("work,wrok"), "400") << "also for mcp, which is limited this way";
}

TEST(Listen, OnlyLoopback) {
  const TempDir dir = TempDir::create("skerry-api").value();
  SystemClock clock;
  ::skerry::testing::FakeController controller(dir.path());
  ::skerry::testing::FakeImages images;
  ::skerry::testing::FakeKernels kernels;
  const auto store = Store::open(dir / "db").value();
  EventFeed feed(*store);
  const auto deployments = Deployments::create(*store, controller, feed, clock).value();
  const auto snapshots = Snapshots::create(dir / "snapshots", *store, controller, clock).value();
  ::skerry::testing::FakeNetwork network;
  const auto zones = Zones::create(Zone{}, *store, network, clock).value();
  PolicyBook policy(dir / "policy", *store, clock);
  Operations operations(clock);
  for (const auto* listen : {"0.0.0.0:8080", "192.168.1.1:80", "nonsense", "127.0.0.1", "127.0.0.1:99999"}) {
    ApiConfig config;
    config.listen = listen;
    const auto server = ApiServer::create(config, {controller, operations, images, *store, clock, feed, *deployments,
                                                   *snapshots, kernels, *zones, policy});
    ASSERT_FALSE(server) << listen;
    EXPECT_EQ(server.error().code, ErrorCode::kInvalidArgument) << listen;
  }
}

TEST(Tokens, SurviveARestartAndTheirSecretsAreNotKept) {
  const TempDir dir = TempDir::create("skerry-tokens").value();
  std::string secret;
  {
    auto store = TokenStore::open(dir / "tokens").value();
    secret = store->create("ci", Role::kOperator, {"work"}, {1}).value();
    EXPECT_EQ(store->create("ci", Role::kViewer, {}, {1}).error().code, ErrorCode::kAlreadyExists);
  }
  auto store = TokenStore::open(dir / "tokens").value();
  const auto caller = store->find(secret);
  ASSERT_TRUE(caller);
  EXPECT_EQ(caller->role, Role::kOperator);
  EXPECT_EQ(caller->zones, std::vector<std::string>{"work"});
  EXPECT_EQ(read_file(dir / "tokens")->find(secret.substr(4)), std::string::npos);
  ASSERT_TRUE(write_file_atomic(dir / "tokens", "{\"tokens\":[{}]}", 0600));
  EXPECT_EQ(TokenStore::open(dir / "tokens").error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace skerry::api::testing
