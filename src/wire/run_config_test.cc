#include "wire/run_config.h"

#include <gtest/gtest.h>

#include "base/signal_name.h"
#include "base/text.h"
#include "wire/environment_json.h"
#include "wire/json_node.h"
#include "wire/spec_texts.h"

namespace skerry::wire {
namespace {

TEST(RunConfig, ReadsEveryField) {
  const auto spec = parse_run_config(R"({
    "name": "web", "hostname": "web.example", "image": "debian:12", "command": "/bin/sh", "args": ["-c", "true"],
    "env": {"A": "1"}, "workdir": "/srv",
    "resources": {"memory_limit_mb": 128, "cpu_limit": 0.5, "process_limit": 9},
    "security": {"readonly_rootfs": true, "user_namespace": true, "user": "1000:1000",
                 "drop_capabilities": ["ALL"], "seccomp_profile": "/p.json",
                 "bind_mounts": [{"source": "/a", "target": "/b", "readonly": true}],
                 "tmpfs": [{"target": "/tmp", "size_mb": 8}]},
    "network": {"zone": "work", "ports": ["8080:80"], "dns": ["10.0.0.1"]},
    "isolation": "microvm", "restart": "on-failure:2"})");
  ASSERT_TRUE(spec) << spec.error().message();
  EXPECT_EQ(spec->command, (std::vector<std::string>{"/bin/sh", "-c", "true"}));
  EXPECT_EQ(spec->resources, (Resources{.cpu_milli = 500, .memory_mib = 128, .pids = 9}));
  EXPECT_TRUE(spec->security.read_only_root && spec->security.user_namespace);
  EXPECT_EQ(spec->user, "1000:1000");
  EXPECT_EQ(spec->mounts, (std::vector<BindMount>{{"/a", "/b", true}}));
  EXPECT_EQ(spec->tmpfs, (std::vector<TmpfsMount>{{"/tmp", 8}}));
  EXPECT_EQ(spec->ports, (std::vector<PublishedPort>{{"", 8080, 80, Protocol::kTcp}}));
  EXPECT_EQ(spec->zone, "work");
  EXPECT_EQ(spec->isolation, Isolation::kMicrovm);
  EXPECT_EQ(spec->restart.max, 2U);
  EXPECT_TRUE(validate(*spec)) << validate(*spec).error().message();
}

struct Bad {
  const char* text;
  const char* place;
};
class BadRunConfig : public testing::TestWithParam<Bad> {};
TEST_P(BadRunConfig, NamesThePath) {
  const auto spec = parse_run_config(GetParam().text);
  ASSERT_FALSE(spec);
  EXPECT_EQ(spec.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(spec.error().message().find(GetParam().place), std::string::npos) << spec.error().message();
}
INSTANTIATE_TEST_SUITE_P(All, BadRunConfig,
                         testing::Values(Bad{"[]", "must be an object"},
                                         Bad{R"({"comand":"x"})", "comand: is not a known field"},
                                         Bad{R"({"resources":{"memory":1}})", "resources.memory: is not a known field"},
                                         Bad{R"({"resources":{"cpu_limit":-1}})", "resources.cpu_limit"},
                                         Bad{R"({"resources":{"memory_limit_mb":0}})", "resources.memory_limit_mb"},
                                         Bad{R"({"args":["x"]})", "args: without a command"},
                                         Bad{R"({"command":[1]})", "command[0]"},
                                         Bad{R"({"network":{"ports":["x"]}})", "network.ports[0]"},
                                         Bad{R"({"security":{"bind_mounts":[{"source":"/a"}]}})",
                                             "security.bind_mounts[0].target: is missing"},
                                         Bad{R"({"isolation":"jail"})", "isolation"}));

TEST(AnyConfig, TakesEitherForm) {
  const auto ours = parse_any_config(R"({"image":"a","command":"x","restart":"no"})");
  ASSERT_TRUE(ours) << ours.error().message();
  EXPECT_EQ(ours->spec.command, std::vector<std::string>{"x"});
  EXPECT_EQ(ours->restart_wish, RestartWish::kAsked);
  EXPECT_EQ(ours->resource_wishes, ResourceWishes{});
  EXPECT_TRUE(parse_any_config(R"({"plugin":"p","resources":{"memory_limit_mb":512}})")->resource_wishes.memory);
  const auto request =
      parse_any_config(R"({"plugin":"p","command":["x"],"memory_mb":64,"security":{"cap_drop":["ALL"]}})");
  ASSERT_TRUE(request) << request.error().message();
  EXPECT_EQ(request->spec.resources.memory_mib, 64U);
  EXPECT_EQ(request->spec.name, "");
  EXPECT_EQ(request->isolation_wish, IsolationWish::kOpen);
  EXPECT_EQ(request->restart_wish, RestartWish::kOpen);
  EXPECT_FALSE(parse_any_config(R"({"image":"a","memory_mb":64,"start":false})"));
  EXPECT_FALSE(parse_any_config(R"({"image":"a","memory_mb":64,"args":["x"]})")) << "a mixture";
  const auto text = deployment_config(R"({"name":"w","image":"a","command":"x","args":["y"]})").value();
  const auto replica = parse_create_request(text).value().command.spec;
  EXPECT_EQ(replica.command, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(JsonNode::parse(text)->text("name"), "");
}

struct Broken {
  const char* text;
  const char* said;
};
class BrokenJson : public testing::TestWithParam<Broken> {};
TEST_P(BrokenJson, NamesLineAndColumnInOurWords) {
  const auto parsed = parse_run_config(GetParam().text);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().message(), cat("run configuration: not JSON: ", GetParam().said));
}
INSTANTIATE_TEST_SUITE_P(All, BrokenJson,
                         testing::Values(Broken{"", "it is empty"}, Broken{" \n", "it is empty"},
                                         Broken{"{", "line 1, column 2: it ends too early"},
                                         Broken{"{\n \"a\": x}", "line 2, column 7: unexpected 'x'"},
                                         Broken{"{}\n}", "line 2, column 1: unexpected '}'"},
                                         Broken{"\"\xff\"", "line 1, column 2: a byte that cannot stand here"},
                                         Broken{"[\"a\n\"]", "line 1, column 4: the line must not end here"},
                                         Broken{"1e999", "a number is too large"}));

TEST(SpecTexts, Cores) {
  EXPECT_EQ(parse_cores("2"), 2000U);
  EXPECT_EQ(parse_cores("0.5"), 500U);
  EXPECT_EQ(parse_cores("1.125"), 1125U);
  for (const auto* bad : {"", ".5", "1.", "1.2345", "-1", "1e3", "x", "1.x", "999999999999"}) {
    EXPECT_FALSE(parse_cores(bad)) << bad;
  }
}

TEST(SpecTexts, SignalsByNameAndNumber) {
  EXPECT_EQ(parse_signal("TERM"), 15);
  EXPECT_EQ(parse_signal("sigkill"), 9);
  EXPECT_EQ(parse_signal("1"), 1);
  EXPECT_EQ(signal_name(15), "TERM");
  for (const auto* bad : {"", "0", "65", "-1", "LOUD", "SIG"}) EXPECT_FALSE(parse_signal(bad)) << bad;
}

}  // namespace
}  // namespace skerry::wire
