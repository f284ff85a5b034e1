#include "wire/run_config.h"

#include <gtest/gtest.h>

#include "base/signal_name.h"
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
