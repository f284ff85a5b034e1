// Snapshots below the environment that they are of.
#include "api/api_testing.h"

namespace skerry::api::testing {
namespace {

class SnapshotRoutes : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    serve();
  }
  std::vector<std::string> names_of(std::string_view path) {
    std::vector<std::string> names;
    const auto list = json(client().call("GET", path)).items();
    names.reserve(list.size());
    for (const auto& each : list) names.push_back(each.text("name"));
    return names;
  }
};

TEST_F(SnapshotRoutes, AnEnvironmentListsItsOwn) {
  const auto web = add_running("web", Isolation::kMicrovm);
  ASSERT_EQ(client().call("POST", "/api/v1/environments/web/snapshots", R"({"name":"one"})")->status, 201);
  ASSERT_EQ(client().call("POST", "/api/v1/vms/web/snapshots", R"({"name":"two"})")->status, 201);
  Snapshot stranger;  // of one that had its name before
  stranger.name = "old";
  stranger.environment = "web";
  stranger.environment_id = "ffffffffffffffff";
  ASSERT_TRUE(store_->add_snapshot(stranger, {}));
  EXPECT_EQ(names_of("/api/v1/environments/web/snapshots"), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(names_of("/api/v1/vms/web/snapshots?sort=name&order=desc&limit=1"), (std::vector<std::string>{"two"}));
  EXPECT_EQ(client().call("GET", "/api/v1/environments/web/snapshots")->headers.at("x-total-count"), "2");
  EXPECT_EQ(client().call("GET", "/api/v1/environments/none/snapshots")->status, 404);
}

TEST_F(SnapshotRoutes, AForkStandsWhereItWasAskedFor) {
  add_running("web", Isolation::kMicrovm);
  const auto vm = client().call("POST", "/api/v1/vms/web/clone", R"({"name":"web-2"})");
  ASSERT_EQ(vm->status, 201) << vm->body;
  EXPECT_EQ(vm->headers.at("location"), "/api/v1/vms/web-2");
  const auto environment = client().call("POST", "/api/v1/environments/web/clone", R"({"name":"web-3"})");
  ASSERT_EQ(environment->status, 201) << environment->body;
  EXPECT_EQ(environment->headers.at("location"), "/api/v1/environments/web-3");
}

}  // namespace
}  // namespace skerry::api::testing
