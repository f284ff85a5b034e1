#include "wire/requests.h"

#include <gtest/gtest.h>

#include "wire/environment_json.h"
#include "wire/plugin_manifest.h"
#include "wire/run_request.h"

namespace skerry::wire {
namespace {

// Clients in Go and Python write what they leave open as null: it stands for a field that is missing.
TEST(NullFields, ScaleNothingAndChangeNoPlugin) {
  const auto change = parse_deployment_change(R"({"replicas":null,"plugin":null,"max_unavailable":2})");
  ASSERT_TRUE(change) << change.error().message();
  EXPECT_FALSE(change->replicas.has_value()) << "and not to 0";
  EXPECT_FALSE(change->has_plugin);
  EXPECT_EQ(change->max_unavailable, 2U);
  EXPECT_FALSE(parse_deployment_change(R"({"replicas":null})")) << "there is nothing to change";
  const auto created = parse_deployment_request(R"({"name":"web","replicas":null,"max_unavailable":null})");
  ASSERT_TRUE(created) << created.error().message();
  EXPECT_FALSE(created->replicas.has_value());
  EXPECT_FALSE(created->max_unavailable.has_value());
}

// The one field of which null is said.
TEST(NullFields, NoServiceIsSaid) {
  const auto change = parse_deployment_change(R"({"service":null})");
  ASSERT_TRUE(change) << change.error().message();
  ASSERT_TRUE(change->service.has_value());
  EXPECT_FALSE(change->service->has_value());
  EXPECT_FALSE(parse_deployment_change(R"({"replicas":1})")->service.has_value());
}

TEST(NullFields, LeaveACreationToItsPlugin) {
  const auto created =
      parse_create_request(R"({"plugin":"p","isolation":null,"restart":null,"cpu_cores":null,"memory_mb":null})");
  ASSERT_TRUE(created) << created.error().message();
  EXPECT_EQ(created->command.isolation_wish, IsolationWish::kOpen);
  EXPECT_EQ(created->command.restart_wish, RestartWish::kOpen);
  EXPECT_EQ(created->command.resource_wishes, ResourceWishes{});
}

TEST(NullFields, InAManifestSayNothing) {
  const auto manifest = parse_plugin_manifest(
      R"({"name":"p","version":"1","image":"a","restart":null,"resources":{"cpu_cores":null,"memory_mb":null}})");
  ASSERT_TRUE(manifest) << manifest.error().message();
  EXPECT_FALSE(manifest->restart.has_value());
  EXPECT_FALSE(manifest->resources.cpu_milli.has_value());
  EXPECT_FALSE(manifest->resources.memory_mib.has_value());
}

TEST(NullFields, InARunForAnAgentSayNothing) {
  const auto run = parse_run_command(
      R"({"image":"a","command":["true"],"cpu_cores":null,"files":[{"path":"/a","text":null,"base64":"YQ=="}]})");
  ASSERT_TRUE(run) << run.error().message();
  EXPECT_FALSE(run->cpu_cores.has_value());
  EXPECT_EQ(run->files.at(0).content, "a");
}

}  // namespace
}  // namespace skerry::wire
