#include "drivers/workload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skerry {
namespace {

using testing::ElementsAre;

ImageConfig image_config() {
  ImageConfig config;
  config.entrypoint = {"/entry"};
  config.cmd = {"serve", "--all"};
  config.env = {"PATH=/bin", "MODE=image"};
  config.workdir = "/srv";
  config.user = "www-data";
  config.stop_signal = "SIGQUIT";
  return config;
}

TEST(Workload, IsTheImagesOwn) {
  const auto config = image_config();
  const auto workload = resolve_workload({}, &config);
  ASSERT_TRUE(workload) << workload.error().message();
  EXPECT_THAT(workload->argv, ElementsAre("/entry", "serve", "--all"));
  EXPECT_THAT(workload->env, ElementsAre("PATH=/bin", "MODE=image"));
  EXPECT_EQ(workload->workdir, "/srv");
  EXPECT_EQ(workload->user, "www-data");
  EXPECT_EQ(workload->stop_signal, 3);
}

TEST(Workload, CommandKeepsTheEntrypointAndEntrypointDropsTheCommand) {
  const auto config = image_config();
  EnvironmentSpec spec;
  spec.command = {"check"};
  EXPECT_THAT(resolve_workload(spec, &config)->argv, ElementsAre("/entry", "check"));
  spec.command = {};
  spec.entrypoint = {"sh"};
  EXPECT_THAT(resolve_workload(spec, &config)->argv, ElementsAre("sh"));
}

TEST(Workload, RequestWins) {
  const auto config = image_config();
  EnvironmentSpec spec;
  spec.env = {{"MODE", "mine"}, {"NEW", "1"}};
  spec.workdir = "/work";
  spec.user = "0";
  const auto workload = resolve_workload(spec, &config);
  EXPECT_THAT(workload->env, ElementsAre("PATH=/bin", "MODE=mine", "NEW=1"));
  EXPECT_EQ(workload->workdir, "/work");
  EXPECT_EQ(workload->user, "0");
}

TEST(Workload, NothingToRunIsAnError) {
  EXPECT_EQ(resolve_workload({}, nullptr).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace skerry
