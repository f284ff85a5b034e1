// `skerry vms`, where it differs from the verbs of all environments.
#include "api/cli_testing.h"
#include "base/file_io.h"

namespace skerry::api::testing {
namespace {

// A file that does not say what it is makes a container of `skerry run`, and a VM here.
TEST_F(CliTest, AConfigurationMakesAVmOfVmsCreate) {
  const std::pair<std::string, std::string> files[] = {
      {dir_ / "run.json", R"({"image":"localhost/base:1","resources":{"memory_limit_mb":128}})"},
      {dir_ / "request.json", R"({"image":"localhost/base:1","memory_mb":128})"}};
  for (const auto& [path, text] : files) {
    ASSERT_TRUE(write_file_atomic(path, text, 0600));
    const std::string name = path.ends_with("run.json") ? "a" : "b";
    ASSERT_EQ(skerry({"vms", "create", name, "--config", path}), 0) << err_;
    EXPECT_TRUE(out_.starts_with("VM " + name + " created with IP ")) << out_;
    EXPECT_EQ(controller_.creations().back().spec.isolation, Isolation::kMicrovm);
    EXPECT_EQ(controller_.creations().back().spec.resources.memory_mib, 128U);
  }
  ASSERT_TRUE(write_file_atomic(files[0].first, R"({"image":"localhost/base:1","isolation":"container"})", 0600));
  EXPECT_EQ(skerry({"vms", "create", "c", "--config", files[0].first}), 2) << "what it says is not overruled";
}

}  // namespace
}  // namespace skerry::api::testing
