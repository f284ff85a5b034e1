// Every list: its page, its order, its filters, and how many there are.
#include "api/api_testing.h"
#include "api/route.h"
#include "base/text.h"

namespace skerry::api::testing {
namespace {

class ListsTest : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    serve();
  }
  std::string names(const std::string& target) {
    std::vector<std::string> out;
    const auto list = json(client().call("GET", target)).items();
    out.reserve(list.size());
    for (const auto& each : list) out.push_back(each.text("name"));
    return join(out, " ");
  }
  void install(std::string_view name, std::string_view version, std::string_view more = "") {
    const auto manifest = cat(R"({"name":")", name, R"(","version":")", version, R"(","image":"a")", more, "}");
    ASSERT_EQ(client().call("POST", "/api/v1/plugins", manifest)->status, 201);
  }
};

// The log of events is no such list: it goes on, from an id.
TEST_F(ListsTest, EachTakesAPageAndTellsHowManyThereAre) {
  add_running("x", Isolation::kMicrovm);
  for (const auto& route : routes()) {
    if (!route.response.starts_with("[]") || route.path == "/api/v1/events") continue;
    std::string path(route.path);
    if (const auto name = path.find("{name}"); name != std::string::npos) path.replace(name, 6, "x");
    const auto answer = client().call("GET", path + "?limit=1&offset=0&order=desc");
    EXPECT_EQ(answer->status, 200) << path << answer->body;
    EXPECT_EQ(answer->headers.count("x-total-count"), 1U) << path;
  }
}

TEST_F(ListsTest, FiltersAreFieldsOfTheDocuments) {
  install("db", "1");
  install("web", "1");
  install("web", "2", R"(,"enabled":false)");
  EXPECT_EQ(names("/api/v1/plugins"), "db web web");
  EXPECT_EQ(names("/api/v1/plugins?name=web&version=1"), "web");
  EXPECT_EQ(names("/api/v1/plugins?enabled=true&sort=name&order=desc"), "web db");
  EXPECT_EQ(names("/api/v1/plugins?name=none"), "");
  const auto page = client().call("GET", "/api/v1/plugins?name=web&limit=1");
  EXPECT_EQ(json(page).items().size(), 1U);
  EXPECT_EQ(page->headers.at("x-total-count"), "2") << "of those that pass the filter";
  EXPECT_EQ(client().call("GET", "/api/v1/plugins?manifest=x")->status, 400);

  ASSERT_EQ(client().call("POST", "/api/v1/deployments", R"({"name":"d","plugin":"db","replicas":0})")->status, 201);
  EXPECT_EQ(names("/api/v1/deployments?plugin=db"), "d");
  EXPECT_EQ(names("/api/v1/deployments?plugin=web"), "");
  ASSERT_EQ(client().call("POST", "/api/v1/tokens", R"({"name":"ci","role":"operator"})")->status, 201);
  EXPECT_EQ(names("/api/v1/tokens?role=operator"), "ci");
  EXPECT_EQ(names("/api/v1/tokens?role=admin"), "");
  EXPECT_EQ(names("/api/v1/zones?egress=none"), "");
}

TEST_F(ListsTest, ActionsAreOne) {
  Environment environment = add_running("plain");
  environment.id = "fedcba9876543210";
  environment.spec.name = "web";
  environment.spec.actions["reload"] = WorkloadAction{"", "POST", "/reload"};
  environment.spec.actions["status"] = WorkloadAction{"", "GET", "/status"};
  controller_.add(environment);
  EXPECT_EQ(names("/api/v1/environments/web/actions"), "reload status");
  EXPECT_EQ(names("/api/v1/environments/web/actions?sort=name&order=desc&limit=1"), "status");
  EXPECT_EQ(names("/api/v1/environments/web/actions?method=POST"), "reload");
}

}  // namespace
}  // namespace skerry::api::testing
