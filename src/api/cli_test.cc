// Plugins, deployments, kernels, images, zones and tokens, by the real program against the real server over fakes.
#include "api/cli_testing.h"
#include "base/file_io.h"
#include "base/text.h"

namespace skerry::api::testing {
namespace {

TEST_F(CliTest, ConfigurationsInBothForms) {
  const std::string ours = dir_ / "run.json";
  const std::string request = dir_ / "request.json";
  ASSERT_TRUE(write_file_atomic(
      ours,
      R"({"name":"x","image":"localhost/base:1","command":"/bin/echo","args":["hi"],"resources":{"memory_limit_mb":64}})",
      0600));
  ASSERT_TRUE(write_file_atomic(
      request, R"({"image":"localhost/base:1","command":["/bin/echo","hi"],"resources":{"memory_mb":64}})", 0600));
  for (const auto& file : {ours, request}) {
    ASSERT_EQ(skerry({"run", "-d", "--name", file == ours ? "a" : "b", "--config", file}), 0) << err_;
    const auto spec = controller_.creations().back().spec;
    EXPECT_EQ(spec.command, (std::vector<std::string>{"/bin/echo", "hi"}));
    EXPECT_EQ(spec.resources.memory_mib, 64U);
    const std::string name = file == ours ? "da" : "db";
    EXPECT_EQ(skerry({"deployments", "create", name, "--config", file, "--replicas", "0"}), 0) << err_;
    EXPECT_EQ(skerry({"deployments", "show", name}), 0);
    const auto config = wire::JsonNode::parse(out_)->at("config");
    EXPECT_EQ(config.at("command").dump(), R"(["/bin/echo","hi"])") << out_;
    EXPECT_EQ(config.integer("resources.memory_mb"), 64) << out_;
  }
  ASSERT_TRUE(write_file_atomic(ours, "{\n  \"image\": ,\n}", 0600));
  EXPECT_EQ(skerry({"run", "--config", ours}), 2);
  EXPECT_NE(err_.find("not JSON: line 2, column 12: unexpected ','"), std::string::npos) << err_;
}

TEST_F(CliTest, TheMcpBridgeAnswersWhatWasAskedBeforeItEnds) {
  add_running("web");
  // Longer than any patience at the end of the input; the daemon's answer comes when the request's own time is up.
  const std::string request =
      R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"exec_in_environment","arguments":{"name":"web","command":["sleep"],"timeout_ms":2500}}})";
  SpawnSpec spec;
  spec.argv = {"sh", "-c", R"(printf '%s\n' "$2" | "$1" mcp)", "sh", SKERRY_PROGRAM, request};
  spec.env = {{"SKERRY_SOCKET=" + config_.socket_path}};
  const auto output = run_command(spec, std::chrono::seconds(20));
  ASSERT_TRUE(output) << output.error().message();
  EXPECT_EQ(output->status.shell_code(), 0);
  const auto answer = wire::JsonNode::parse(output->out);
  ASSERT_TRUE(answer) << output->out;
  EXPECT_EQ(answer->integer("id"), 7);
  EXPECT_TRUE(answer->at("result.structuredContent.timed_out").flag()) << output->out;
}

TEST_F(CliTest, KernelsAreAddedBuiltChosenAndRemoved) {
  EXPECT_EQ(skerry({"kernels"}), 0);
  EXPECT_NE(out_.find(" host     yes "), std::string::npos) << out_;
  EXPECT_EQ(skerry({"kernels", "add", "mine", "/somewhere/vmlinux"}), 0) << err_;
  EXPECT_NE(out_.find("skerry kernels use mine"), std::string::npos) << out_;
  EXPECT_EQ(skerry({"kernels", "build", "-q"}), 0) << err_;
  EXPECT_EQ(out_, "6.1.1-skerry\n");
  EXPECT_EQ(skerry({"kernels", "use", "mine"}), 0) << err_;
  EXPECT_EQ(skerry({"kernels", "ls", "--output", "json"}), 0);
  EXPECT_TRUE(wire::JsonNode::parse(out_)->items().at(1).at("chosen").flag()) << out_;
  EXPECT_EQ(skerry({"kernels", "use"}), 2);
  EXPECT_EQ(skerry({"kernels", "use", "nobody"}), 3);
  EXPECT_EQ(skerry({"kernels", "use", "--default"}), 0) << err_;
  EXPECT_EQ(skerry({"kernels", "rm", "mine", "nobody"}), 3);
  EXPECT_EQ(skerry({"kernels", "ls", "-q"}), 0);
  EXPECT_EQ(out_, "6.1.0-9-cloud-amd64\n6.1.1-skerry\n");
  EXPECT_EQ(skerry({"events"}), 0);
  for (const auto* type : {"kernel.added", "kernel.built", "kernel.chosen", "kernel.removed"}) {
    EXPECT_NE(out_.find(type), std::string::npos) << type << "\n" << out_;
  }
}

TEST_F(CliTest, ManifestsFromAnywhereAndPluginsByTheirName) {
  const auto manifest = [](std::string_view name) {
    return cat(R"({"name":")", name, R"(","version":"1","image":"localhost/base:1"})");
  };
  EXPECT_EQ(skerry({"plugins", "install", "--manifest", manifest("by-text")}), 0) << err_;
  input_ = manifest("by-input");
  EXPECT_EQ(skerry({"plugins", "install", "--manifest", "-"}), 0) << err_;
  input_.clear();
  EXPECT_EQ(skerry({"plugins", "install", "--manifest", "http://127.0.0.1:1/none.json"}), 1);
  EXPECT_EQ(skerry({"plugins", "install", "--manifest", dir_ / "none.json"}), 2);

  EXPECT_EQ(skerry({"run", "-d", "--name", "a", "by-text"}), 0) << err_;
  EXPECT_EQ(skerry({"run", "-d", "--name", "b", "by-input@1"}), 0) << err_;
  EXPECT_EQ(skerry({"run", "-d", "--name", "c", "localhost/base:1"}), 0) << err_;
  const auto created = controller_.creations();
  ASSERT_EQ(created.size(), 3U);
  EXPECT_EQ(created[0].spec.plugin, "by-text");
  EXPECT_EQ(created[0].spec.image, "");
  EXPECT_EQ(created[1].spec.plugin_version, "1");
  EXPECT_EQ(created[2].spec.image, "localhost/base:1");
}

TEST_F(CliTest, PluginsFromManifestToRemoval) {
  ASSERT_TRUE(write_file_atomic(dir_ / "p.json",
                                R"({"name":"p","version":"1.0","runtime":"r","image":"localhost/base:1"})", 0600));
  EXPECT_EQ(skerry({"plugins", "install", "--manifest", dir_ / "p.json"}), 0) << err_;
  EXPECT_EQ(skerry({"plugins", "install", "--manifest", dir_ / "p.json"}), 1) << "installed already";
  EXPECT_EQ(skerry({"plugins", "disable", "p"}), 0);
  EXPECT_EQ(skerry({"plugins", "list"}), 0);
  EXPECT_NE(out_.find("no "), std::string::npos) << out_;
  EXPECT_EQ(skerry({"plugins", "remove", "p"}), 0) << err_;
  EXPECT_EQ(skerry({"plugins", "show", "p"}), 3);
  std::vector<std::string> types;
  const auto events = store_->events({}).value();
  for (const auto& event : events) types.push_back(event.type);
  EXPECT_EQ(types, (std::vector<std::string>{"plugin.installed", "plugin.disabled", "plugin.removed"}));
}

TEST_F(CliTest, VersionsOfAPluginSideBySide) {
  const auto install = [&](const std::string& version) {
    const auto manifest = cat(R"({"name":"p","version":")", version, R"(","image":"localhost/base:1"})");
    EXPECT_TRUE(write_file_atomic(dir_ / "p.json", manifest, 0600));
    return skerry({"plugins", "install", "--manifest", dir_ / "p.json"});
  };
  EXPECT_EQ(install("1.9"), 0) << err_;
  EXPECT_EQ(install("1.10"), 0) << err_;
  EXPECT_EQ(skerry({"plugins", "ls"}), 0);
  EXPECT_LT(out_.find("1.10"), out_.find("1.9")) << out_;
  EXPECT_EQ(skerry({"plugins", "show", "p"}), 0);
  EXPECT_NE(out_.find("1.10"), std::string::npos);
  EXPECT_EQ(skerry({"plugins", "show", "p@1.9"}), 0);
  EXPECT_NE(out_.find("1.9"), std::string::npos);
  EXPECT_EQ(skerry({"plugins", "show", "p@2"}), 3);
  EXPECT_EQ(skerry({"plugins", "disable", "p@1.10"}), 0) << err_;
  EXPECT_EQ(skerry({"deployments", "create", "web", "--plugin", "p", "--replicas", "0"}), 0) << err_;
  EXPECT_EQ(skerry({"deployments", "ls"}), 0);
  EXPECT_NE(out_.find("p@1.9"), std::string::npos) << "the newest enabled one: " << out_;
  EXPECT_EQ(skerry({"plugins", "remove", "p@1.10"}), 0) << err_;
  EXPECT_EQ(skerry({"plugins", "remove", "p"}), 1);
  EXPECT_NE(err_.find("in use by deployment web"), std::string::npos) << err_;
  EXPECT_EQ(skerry({"plugins", "remove", "p@1.9", "--force"}), 0) << err_;
  EXPECT_EQ(skerry({"deployments", "show", "web"}), 0);
  EXPECT_NE(out_.find("p@1.9\\\" is not installed any more"), std::string::npos) << out_;
}

// The shorter words for what a newcomer tries first.
TEST_F(CliTest, DeploymentsTakeAnImageAndABareNumber) {
  EXPECT_EQ(skerry({"deployments", "create", "web", "--image", "localhost/base:1", "--replicas", "0"}), 0) << err_;
  EXPECT_EQ(json(client().call("GET", "/api/v1/deployments/web")).text("config.image"), "localhost/base:1");
  EXPECT_EQ(skerry({"deployments", "scale", "web", "2"}), 0) << err_;
  EXPECT_EQ(json(client().call("GET", "/api/v1/deployments/web")).integer("replicas"), 2);
  EXPECT_EQ(skerry({"deployments", "create", "b", "--image", "x", "--plugin", "p"}), 2);
  EXPECT_NE(err_.find("--image"), std::string::npos) << err_;
  EXPECT_EQ(skerry({"deployments", "scale", "web"}), 2);
}

TEST_F(CliTest, APluginIsNotRunWithAnotherImage) {
  EXPECT_EQ(skerry({"run", "-d", "--plugin", "web", "localhost/base:1"}), 2);
  EXPECT_NE(err_.find("localhost/base:1"), std::string::npos) << err_;
  EXPECT_NE(err_.find("the plugin has its own"), std::string::npos) << err_;
}

TEST_F(CliTest, ZonesAreListedWhereThereAreSome) {
  auto environment = add_running("web");
  EXPECT_EQ(skerry({"ls"}), 0);
  EXPECT_EQ(out_.find("ZONE"), std::string::npos) << out_;
  environment.id = "fedcba9876543210";
  environment.spec.name = "db";
  environment.spec.zone = "vault";
  controller_.add(environment);
  EXPECT_EQ(skerry({"ls"}), 0);
  EXPECT_NE(out_.find("ZONE"), std::string::npos) << out_;
  EXPECT_NE(out_.find("vault"), std::string::npos) << out_;
}

TEST_F(CliTest, ImagesArePushed) {
  EXPECT_EQ(skerry({"images", "push", "localhost/base:1", "registry.example/team/base:2"}), 0) << err_;
  EXPECT_NE(out_.find("registry.example/team/base:2  sha256:"), std::string::npos) << out_;
  const auto told = store_->events({})->back();
  EXPECT_EQ(told.type, "image.pushed");
  EXPECT_EQ(told.resource, "registry.example/team/base:2");
  EXPECT_EQ(skerry({"images", "push", "none:1"}), 3);
}

TEST_F(CliTest, Tokens) {
  EXPECT_EQ(skerry({"token", "create", "ci", "--role", "operator"}), 0);
  EXPECT_TRUE(out_.starts_with("skt_"));
  EXPECT_EQ(skerry({"token", "ls"}), 0);
  EXPECT_EQ(out_.find("skt_"), std::string::npos);
  EXPECT_EQ(skerry({"token", "create", "laptop"}), 0);
  EXPECT_EQ(skerry({"token", "revoke", "ci", "laptop"}), 0) << err_;
  EXPECT_EQ(skerry({"token", "revoke", "ci"}), 3);
  EXPECT_EQ(skerry({"token", "create", "x", "--role", "king"}), 2);
}

}  // namespace
}  // namespace skerry::api::testing
