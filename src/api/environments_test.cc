#include <cstdlib>

#include "api/api_testing.h"
#include "base/file_io.h"
#include "base/text.h"

namespace skerry::api::testing {
namespace {

class EnvironmentsTest : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    serve();
  }
};

// The exchange of the microVM document, letter by letter up to the fields that may follow.
TEST_F(EnvironmentsTest, TheCreateExchangeOfTheMicrovmDocument) {
  const auto answer =
      client().call("POST", "/api/v1/vms", R"({"name":"nginx-demo","plugin":"nginx","cpu_cores":2,"memory_mb":1024})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 201);
  EXPECT_TRUE(
      answer->body.starts_with(R"({"name":"nginx-demo","plugin":"nginx","ip":"192.168.127.100","state":"running",)"
                               R"("resources":{"cpu_cores":2,"memory_mb":1024)"))
      << answer->body;
  EXPECT_EQ(answer->headers.at("location"), "/api/v1/vms/nginx-demo");
  EXPECT_EQ(controller_.creations().at(0).spec.isolation, Isolation::kMicrovm);
}

TEST_F(EnvironmentsTest, VmsDoNotShowContainers) {
  add_running("web");
  add_running("guest", Isolation::kMicrovm);
  auto http = client();
  EXPECT_EQ(json(http.call("GET", "/api/v1/vms")).items().size(), 1U);
  EXPECT_EQ(json(http.call("GET", "/api/v1/environments")).items().size(), 2U);
  EXPECT_EQ(http.call("GET", "/api/v1/vms/web")->status, 404);
  EXPECT_EQ(http.call("POST", "/api/v1/vms/web/stop")->status, 404);
  EXPECT_EQ(http.call("GET", "/api/v1/vms/guest")->status, 200);
  EXPECT_EQ(http.call("POST", "/api/v1/vms", R"({"image":"a","isolation":"container"})")->status, 400);
}

TEST_F(EnvironmentsTest, PagesSortsAndFilters) {
  for (const auto* name : {"delta", "alpha", "charlie", "bravo"}) add_running(name);
  auto http = client();
  const auto page = http.call("GET", "/api/v1/environments?sort=name&order=desc&offset=1&limit=2");
  EXPECT_EQ(page->headers.at("x-total-count"), "4");
  const auto items = json(page).items();
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0].text("name"), "charlie");
  EXPECT_EQ(items[1].text("name"), "bravo");
  EXPECT_EQ(json(http.call("GET", "/api/v1/environments?state=stopped")).items().size(), 0U);
  EXPECT_EQ(json(http.call("GET", "/api/v1/environments?offset=99")).items().size(), 0U);
  EXPECT_EQ(http.call("GET", "/api/v1/environments?limit=x")->status, 400);
  EXPECT_EQ(http.call("GET", "/api/v1/environments?sort=colour")->status, 400);
  EXPECT_EQ(http.call("GET", "/api/v1/environments?a=%zz")->status, 400);
  const auto unknown = http.call("GET", "/api/v1/environments?colour=red");
  EXPECT_EQ(unknown->status, 400);
  EXPECT_NE(unknown->body.find("colour"), std::string::npos);
  EXPECT_EQ(http.call("GET", "/api/v1/environments?state=blue")->status, 400);
  EXPECT_EQ(json(http.call("GET", "/api/v1/environments?state=restarting")).items().size(), 0U);
}

TEST_F(EnvironmentsTest, FiltersByLabel) {
  auto http = client();
  ASSERT_EQ(http.call("POST", "/api/v1/environments", R"({"name":"a","image":"x","labels":{"tier":"web"}})")->status,
            201);
  ASSERT_EQ(http.call("POST", "/api/v1/environments", R"({"name":"b","image":"x","labels":{"tier":"db"}})")->status,
            201);
  const auto count = [&](const char* label) {
    return json(http.call("GET", cat("/api/v1/environments?label=", label))).items().size();
  };
  EXPECT_EQ(count("tier"), 2U);
  EXPECT_EQ(count("tier%3Dweb"), 1U);
  EXPECT_EQ(count("tier%3D"), 0U);
  EXPECT_EQ(count("colour"), 0U);
}

TEST_F(EnvironmentsTest, WithoutWaitingItAnswersWhenItIsStored) {
  controller_.hold();
  add_running("slow");
  // The fake stores at release; that one is stored already stands for a real controller's insert.
  const auto answer = client().call("POST", "/api/v1/environments", R"({"image":"a","name":"slow","wait":false})");
  EXPECT_EQ(answer->status, 201);
  controller_.release();
}

TEST_F(EnvironmentsTest, VerbsReachTheControllerWithTheirArguments) {
  add_running("web");
  auto http = client();
  EXPECT_EQ(http.call("POST", "/api/v1/environments/web/stop", R"({"grace_ms":5})")->status, 200);
  EXPECT_EQ(http.call("POST", "/api/v1/environments/web/kill", R"({"signal":"HUP"})")->status, 200);
  EXPECT_EQ(http.call("POST", "/api/v1/environments/web/kill", R"({"signal":15})")->status, 200);
  EXPECT_EQ(http.call("POST", "/api/v1/environments/web/kill", R"({"signal":"LOUD"})")->status, 400);
  EXPECT_EQ(http.call("PATCH", "/api/v1/environments/web", R"({"memory_mb":77})")->status, 200);
  EXPECT_EQ(http.call("POST", "/api/v1/environments/web/suspend")->status, 501);
  const auto verbs = controller_.verbs();
  ASSERT_EQ(verbs.size(), 5U);
  EXPECT_EQ(verbs[0].grace_ms, 5U);
  EXPECT_EQ(verbs[1].signal, 1);
  EXPECT_EQ(verbs[2].signal, 15);
  EXPECT_EQ(verbs[3].resources.memory_mib, 77U);
}

TEST_F(EnvironmentsTest, DeletionOfWhatRunsNeedsForce) {
  add_running("web");
  auto http = client();
  EXPECT_EQ(http.call("DELETE", "/api/v1/environments/web")->status, 409);
  EXPECT_EQ(http.call("DELETE", "/api/v1/environments/web?force=perhaps")->status, 400);
  EXPECT_EQ(http.call("DELETE", "/api/v1/environments/web?force=1")->status, 204);
  EXPECT_EQ(http.call("GET", "/api/v1/environments/web")->status, 404);
}

TEST_F(EnvironmentsTest, RefusalsKeepTheirMeaning) {
  const std::pair<ErrorCode, int> meanings[] = {{ErrorCode::kAlreadyExists, 409},     {ErrorCode::kRefused, 403},
                                                {ErrorCode::kResourceExhausted, 409}, {ErrorCode::kUnsupported, 501},
                                                {ErrorCode::kCommandNotFound, 422},   {ErrorCode::kUnavailable, 503},
                                                {ErrorCode::kDeadlineExceeded, 504}};
  auto http = client();
  for (const auto& [code, status] : meanings) {
    controller_.fail_next({code, 0, "because", {}});
    const auto answer = http.call("POST", "/api/v1/environments", R"({"image":"a","name":"x"})");
    EXPECT_EQ(answer->status, status);
    EXPECT_EQ(json(answer).text("code"), error_code_name(code));
  }
  controller_.fail_next(Error::from_errno(ENOSPC, "write"));
  EXPECT_EQ(http.call("POST", "/api/v1/environments", R"({"image":"a","name":"x"})")->status, 507);
}

TEST_F(EnvironmentsTest, WaitAnswersAtTheEndOfTheRun) {
  add_running("web");
  auto socket = raw();
  ASSERT_TRUE(socket.send("POST /api/v1/environments/web/wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  // Once another request has been answered this one is being waited for, or will find the run over.
  EXPECT_EQ(client().call("GET", "/healthz")->status, 200);
  controller_.end_run("web", 3);
  EXPECT_NE(socket.read_all().find("\"exit_code\":3"), std::string::npos);
}

// Connections are counted: one that waits for the end of a run, for nobody, would be one less for everybody.
TEST_F(EnvironmentsTest, WhoHangsUpIsNotWaitedFor) {
  add_running("web");
  for (const char* behind : {"", "GET /healthz"}) {
    auto socket = raw();
    ASSERT_TRUE(socket.send(cat("POST /api/v1/environments/web/wait HTTP/1.1\r\nHost: x\r\n\r\n", behind)));
    ASSERT_EQ(::shutdown(socket.fd(), SHUT_WR), 0);
    pollfd poller{socket.fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&poller, 1, 10'000), 1) << "the connection is kept";
  }
}

TEST_F(EnvironmentsTest, ACreationWithAHealthCheckAnswersWhenItIsHealthy) {
  auto socket = raw();
  const std::string body = R"({"image":"a","name":"web","health_check":{"endpoint":"/"}})";
  ASSERT_TRUE(socket.send(cat("POST /api/v1/environments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n",
                              "Content-Length: ", body.size(), "\r\n\r\n", body)));
  const auto deadline = clock_.monotonic() + std::chrono::seconds(10);
  while (!controller_.find("web")) ASSERT_LT(clock_.monotonic(), deadline);
  pollfd poller{socket.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&poller, 1, 120), 0) << "answered before it was healthy";
  controller_.set_health("web", Health::kHealthy);
  EXPECT_NE(socket.read_until("\"health\":\"healthy\"").find("201 Created"), std::string::npos);
}

// The name is free when it is deleted, and the next one of that name may be of a zone that the waiter is not let into.
TEST_F(EnvironmentsTest, WhoWaitsForHealthIsToldOfNoOther) {
  auto socket = raw();
  const std::string body = R"({"image":"a","name":"web","health_check":{"endpoint":"/"}})";
  ASSERT_TRUE(socket.send(cat("POST /api/v1/environments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n",
                              "Skerry-Role: operator\r\nSkerry-Zones: default\r\nConnection: close\r\n",
                              "Content-Length: ", body.size(), "\r\n\r\n", body)));
  const auto deadline = clock_.monotonic() + std::chrono::seconds(10);
  while (!controller_.find("web")) ASSERT_LT(clock_.monotonic(), deadline);
  Environment theirs;
  theirs.id = "fedcba9876543210";
  theirs.spec.name = "web";
  theirs.spec.zone = "theirs";
  theirs.spec.env["PASSWORD"] = "hush";
  theirs.status.state = State::kRunning;
  controller_.replace(theirs);
  const auto answer = socket.read_all();
  EXPECT_NE(answer.find("404 Not Found"), std::string::npos) << answer;
  EXPECT_EQ(answer.find("hush"), std::string::npos) << answer;
}

TEST_F(EnvironmentsTest, AStartWaitsForHealthWhenAsked) {
  Environment web = add_running("web");
  ASSERT_EQ(client().call("DELETE", "/api/v1/environments/web?force=1")->status, 204);
  web.spec.health_check.emplace();
  web.status.state = State::kStopped;
  controller_.add(web);
  EXPECT_EQ(client().call("POST", "/api/v1/environments/web/start", R"({"wait":"x"})")->status, 400);
  EXPECT_EQ(json(client().call("POST", "/api/v1/environments/web/start")).text("health"), "unknown");
  EXPECT_EQ(client().call("POST", "/api/v1/environments/web/stop")->status, 200);
  auto socket = raw();
  socket.send(
      "POST /api/v1/environments/web/start HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: 13\r\n\r\n{\"wait\":true}");
  const auto deadline = clock_.monotonic() + std::chrono::seconds(10);
  while (json(client().call("GET", "/api/v1/environments/web")).text("state") != "running") {
    ASSERT_LT(clock_.monotonic(), deadline);
  }
  pollfd quiet{socket.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&quiet, 1, 150), 0) << "it runs, and is not healthy yet";
  controller_.set_health("web", Health::kHealthy);
  EXPECT_NE(socket.read_until("\"health\":\"healthy\"").find("200 OK"), std::string::npos);
}

TEST_F(EnvironmentsTest, ImagesInUseStay) {
  controller_.set_image_users({"web", "db"});
  auto http = client();
  const auto answer = http.call("DELETE", "/api/v1/images/localhost/base:1");
  EXPECT_EQ(answer->status, 409);
  EXPECT_NE(json(answer).text("error").find("web, db"), std::string::npos);
  controller_.set_image_users({});
  EXPECT_EQ(http.call("DELETE", "/api/v1/images/localhost/base:1")->status, 200);
  const auto events = store_->events({});
  ASSERT_EQ(events->size(), 1U);
  EXPECT_EQ(events->at(0).type, "image.removed");
}

TEST_F(EnvironmentsTest, SystemTellsWhatTheHostCanDo) {
  add_running("web");
  const auto system = json(client().call("GET", "/api/v1/system"));
  EXPECT_TRUE(system.at("isolations.container.available").flag());
  EXPECT_EQ(system.text("isolations.microvm.reason"), "no hardware virtualisation");
  EXPECT_EQ(system.integer("environments.by_state.running"), 1);
}

// What Prometheus' own checker says of the form, the names and the units.
void expect_promtool_likes(const std::string& metrics) {
  const TempDir dir = TempDir::create("metrics").value();
  ASSERT_TRUE(write_file_atomic(dir / "metrics", metrics, 0600));
  const std::string command = cat("promtool check metrics < ", dir / "metrics", " > ", dir / "said", " 2>&1");
  const int outcome = std::system(command.c_str());  // NOLINT(concurrency-mt-unsafe,cert-env33-c): the paths are ours
  const auto said = read_file(dir / "said").value_or("");
  if (said.find("not found") != std::string::npos) GTEST_SKIP() << "promtool is missing: apt install prometheus";
  EXPECT_EQ(outcome, 0) << said;
  EXPECT_EQ(said, "");
}

TEST_F(EnvironmentsTest, MetricsAreInPrometheusForm) {
  add_running("web");
  const auto answer = client().call("GET", "/metrics");
  ASSERT_EQ(answer->status, 200);
  EXPECT_TRUE(answer->headers.at("content-type").starts_with("text/plain; version=0.0.4"));
  EXPECT_NE(answer->body.find("skerry_environments{isolation=\"container\",state=\"running\"} 1\n"), std::string::npos);
  const auto has = [&](std::string_view line) {
    EXPECT_NE(answer->body.find(cat("\n", line, "\n")), std::string::npos) << line;
  };
  has("skerry_environment_memory_bytes{name=\"web\"} 4096");
  has("skerry_environment_cpu_seconds_total{name=\"web\"} 0.001000000");
  has("skerry_start_duration_seconds_bucket{isolation=\"container\",le=\"0.01\"} 0");
  has("skerry_start_duration_seconds_bucket{isolation=\"container\",le=\"0.025\"} 1");
  has("skerry_start_duration_seconds_bucket{isolation=\"container\",le=\"+Inf\"} 1");
  has("skerry_start_duration_seconds_sum{isolation=\"container\"} 0.02");
  has("skerry_start_duration_seconds_count{isolation=\"container\"} 1");
  expect_promtool_likes(answer->body);
}

TEST_F(EnvironmentsTest, TheDescriptionNamesOnlySchemasThatExist) {
  const auto document = json(client().call("GET", "/openapi.json"));
  EXPECT_EQ(document.text("openapi"), "3.1.0");
  const auto text = document.dump();
  const auto schemas = document.at("components.schemas");
  std::size_t references = 0;
  constexpr std::string_view kPrefix = "#/components/schemas/";
  for (auto at = text.find(kPrefix); at != std::string::npos; at = text.find(kPrefix, at + 1)) {
    const auto begin = at + kPrefix.size();
    const auto name = text.substr(begin, text.find('"', begin) - begin);
    EXPECT_TRUE(schemas.at(name).is_object()) << name;
    ++references;
  }
  EXPECT_GT(references, 30U);
  EXPECT_TRUE(document.at("paths").is_object());
}

}  // namespace
}  // namespace skerry::api::testing
