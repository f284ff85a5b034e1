#include "wire/environment_json.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "wire/requests.h"

namespace skerry::wire {
namespace {

EnvironmentSpec full_spec() {
  EnvironmentSpec spec;
  spec.name = "web";
  spec.hostname = "web.example";
  spec.isolation = Isolation::kMicrovm;
  spec.kind = Kind::kDisposable;
  spec.zone = "work";
  spec.image = "localhost:5000/web:1";
  spec.plugin = "nginx";
  spec.deployment = "front";
  spec.entrypoint = {"/bin/sh", "-c"};
  spec.command = {"echo \"ü\\n\""};
  spec.env = {{"A", "1"}, {"B", "x=y\n"}};
  spec.workdir = "/srv";
  spec.user = "1000:1000";
  spec.terminal = true;
  spec.stdin_open = true;
  spec.auto_remove = true;
  spec.resources = {.cpu_milli = 1250, .memory_mib = 77, .pids = 12};
  spec.security = {.read_only_root = true,
                   .user_namespace = true,
                   .allow_new_privileges = true,
                   .cap_add = {"CAP_NET_ADMIN"},
                   .cap_drop = {"ALL"},
                   .seccomp_profile = "unconfined"};
  spec.mounts = {{"/a", "/b", true}, {"/c", "/d", false}};
  spec.tmpfs = {{"/tmp", 12}};
  spec.ports = {{"127.0.0.1", 8080, 80, Protocol::kTcp}, {"", 53, 5353, Protocol::kUdp}};
  spec.dns = {"10.0.0.1"};
  spec.restart = {.mode = RestartMode::kOnFailure, .max = 3, .backoff_ms = 50};
  spec.devices = {{"0000:01:00.0"}, {"8086:10fb"}};
  spec.health_check = HealthCheck{.probe = HealthCheck::Probe::kExec,
                                  .endpoint = {},
                                  .command = {"true"},
                                  .interval_ms = 100,
                                  .timeout_ms = 50,
                                  .retries = 2};
  spec.labels = {{"team", "a"}};
  return spec;
}

TEST(EnvironmentSpecJson, RoundTripsEveryField) {
  const auto spec = full_spec();
  const auto back = parse_environment_spec(environment_spec_json(spec));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(*back, spec);
}

TEST(EnvironmentSpecJson, RoundTripsTheDefaults) {
  const auto back = parse_environment_spec(environment_spec_json(EnvironmentSpec{}));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(*back, EnvironmentSpec{});
}

TEST(EnvironmentSpecJson, EveryThousandthOfACoreSurvives) {
  EnvironmentSpec spec;
  for (std::uint32_t milli = 1; milli < 4200; ++milli) {
    spec.resources.cpu_milli = milli;
    ASSERT_EQ(parse_environment_spec(environment_spec_json(spec))->resources.cpu_milli, milli);
  }
}

TEST(CreateRequest, TakesTheExchangeOfTheMicrovmDocument) {
  const auto request = parse_create_request(R"({"name":"nginx-demo","plugin":"nginx","cpu_cores":2,"memory_mb":1024})",
                                            Isolation::kMicrovm);
  ASSERT_TRUE(request) << request.error().message();
  const auto& spec = request->command.spec;
  EXPECT_EQ(spec.name, "nginx-demo");
  EXPECT_EQ(spec.plugin, "nginx");
  EXPECT_EQ(spec.isolation, Isolation::kMicrovm);
  EXPECT_EQ(spec.resources.cpu_milli, 2000U);
  EXPECT_EQ(spec.resources.memory_mib, 1024U);
  EXPECT_TRUE(request->command.start);
  EXPECT_TRUE(request->wait);
}

TEST(CreateRequest, TakesShortForms) {
  const auto request = parse_create_request(
      R"({"image":"debian","ports":["8080:80/udp",{"host_port":1,"guest_port":2}],"mounts":["/a:/b:ro"],)"
      R"("restart":"on-failure:4","start":false,"wait":false,"cpu_cores":0.25})");
  ASSERT_TRUE(request) << request.error().message();
  const auto& spec = request->command.spec;
  EXPECT_EQ(spec.ports, (std::vector<PublishedPort>{{"", 8080, 80, Protocol::kUdp}, {"", 1, 2, Protocol::kTcp}}));
  EXPECT_EQ(spec.mounts, (std::vector<BindMount>{{"/a", "/b", true}}));
  EXPECT_EQ(spec.restart.mode, RestartMode::kOnFailure);
  EXPECT_EQ(spec.restart.max, 4U);
  EXPECT_EQ(spec.resources.cpu_milli, 250U);
  EXPECT_FALSE(request->command.start);
  EXPECT_FALSE(request->wait);
}

TEST(CreateRequest, RoundTripsThroughTheClientsForm) {
  CreateRequest request{{full_spec(), false}, false};
  const auto back = parse_create_request(create_request_json(request));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->command.spec, request.command.spec);
  EXPECT_FALSE(back->command.start);
  EXPECT_FALSE(back->wait);
}

TEST(CreateRequest, GivesANameFromTheImage) {
  const auto first = parse_create_request(R"({"image":"localhost:5000/team/My_Web.App:1.2@sha256:00"})");
  const auto second = parse_create_request(R"({"image":"localhost:5000/team/My_Web.App:1.2"})");
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->command.spec.name.starts_with("my-web-app-")) << first->command.spec.name;
  EXPECT_TRUE(is_dns_label(first->command.spec.name));
  EXPECT_NE(first->command.spec.name, second->command.spec.name);
}

// What is wrong, and the place the error must name.
struct Bad {
  const char* body;
  const char* place;
};
class BadCreateRequest : public testing::TestWithParam<Bad> {};
TEST_P(BadCreateRequest, NamesThePlace) {
  const auto request = parse_create_request(GetParam().body);
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(request.error().message().find(GetParam().place), std::string::npos) << request.error().message();
}
INSTANTIATE_TEST_SUITE_P(
    All, BadCreateRequest,
    testing::Values(Bad{"", "request body"}, Bad{"[]", "must be a JSON object"}, Bad{"{", "request body"},
                    Bad{R"({"imag":"x"})", "imag: is not a known field"},
                    Bad{R"({"memory_mb":"1024"})", "memory_mb: must be a whole number"},
                    Bad{R"({"memory_mb":-1})", "memory_mb"}, Bad{R"({"cpu_cores":0})", "cpu_cores: is out of range"},
                    Bad{R"({"cpu_cores":1e300})", "cpu_cores: is out of range"},
                    Bad{R"({"ports":["80:x"]})", "ports[0]: "},
                    Bad{R"({"ports":[{"host_port":0,"guest_port":1}]})", "ports[0].host_port: "},
                    Bad{R"({"ports":[{"guest_port":1}]})", "ports[0].host_port: is missing"},
                    Bad{R"({"mounts":["/a"]})", "mounts[0]: "}, Bad{R"({"env":{"A":1}})", "env.A: must be a string"},
                    Bad{R"({"env":["A=1"]})", "env: must be an object"}, Bad{R"({"isolation":"jail"})", "isolation"},
                    Bad{R"({"restart":"no:3"})", "restart: "},
                    Bad{R"({"resources":{"cpu":1}})", "resources.cpu: is not a known field"},
                    Bad{R"({"health_check":{"probe":"exec"}})", "health_check.command: is missing"}));

TEST(UpdateRequest, KeepsWhatIsNotSaid) {
  const auto resources = parse_update_request(R"({"memory_mb":99})", {.cpu_milli = 5, .memory_mib = 1, .pids = 7});
  ASSERT_TRUE(resources);
  EXPECT_EQ(*resources, (Resources{.cpu_milli = 5, .memory_mib = 99, .pids = 7}));
}

TEST(EnvironmentDocument, BeginsAsTheMicrovmDocumentSays) {
  Environment environment;
  environment.spec.name = "nginx-demo";
  environment.spec.plugin = "nginx";
  environment.spec.resources = {.cpu_milli = 2000, .memory_mib = 1024};
  environment.ip = "192.168.127.100";
  environment.status.state = State::kRunning;
  EXPECT_TRUE(environment_json(environment)
                  .starts_with(R"({"name":"nginx-demo","plugin":"nginx","ip":"192.168.127.100","state":"running",)"
                               R"("resources":{"cpu_cores":2,"memory_mb":1024,)"))
      << environment_json(environment);
}

TEST(CreateRequest, ARestartPolicyOfNoIsSaidWhenItWasChosen) {
  CreateRequest request;
  request.command.spec.name = "a";
  request.command.spec.plugin = "web";
  const auto back = [&] { return parse_create_request(create_request_json(request)).value().command.restart_wish; };
  EXPECT_EQ(back(), RestartWish::kOpen);
  request.command.restart_wish = RestartWish::kAsked;
  EXPECT_EQ(back(), RestartWish::kAsked);
}

TEST(CreateRequest, ResourcesAreSaidWhenTheyWereChosen) {
  const auto wishes = [](std::string_view body) { return parse_create_request(body).value().command.resource_wishes; };
  EXPECT_EQ(wishes(R"({"plugin":"p"})"), ResourceWishes{});
  EXPECT_EQ(wishes(R"({"plugin":"p","memory_mb":512})"), (ResourceWishes{.cpu = false, .memory = true}));
  EXPECT_EQ(wishes(R"({"plugin":"p","resources":{"cpu_cores":1}})"), (ResourceWishes{.cpu = true, .memory = false}));
  EXPECT_EQ(wishes(R"({"plugin":"p","resources":{"pids":9}})"), ResourceWishes{});
  CreateRequest request;
  request.command.spec.name = "a";
  request.command.spec.plugin = "p";
  EXPECT_EQ(wishes(create_request_json(request)), ResourceWishes{});
  request.command.resource_wishes = {.cpu = true, .memory = true};
  EXPECT_EQ(wishes(create_request_json(request)), request.command.resource_wishes);
  request.command.resource_wishes = {};
  request.command.spec.resources.memory_mib = 64;
  EXPECT_EQ(parse_create_request(create_request_json(request))->command.spec.resources.memory_mib, 64U);
}

TEST(CreateRequest, AVersionIsThatOfAPlugin) {
  const auto refused = parse_create_request(R"({"image":"a","plugin_version":"2"})");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("plugin_version: is missing its plugin"), std::string::npos);
  EXPECT_FALSE(parse_deployment_change(R"({"plugin_version":"2","replicas":1})"));
  EXPECT_TRUE(parse_deployment_change(R"({"plugin":"p","plugin_version":"2"})"));
}

}  // namespace
}  // namespace skerry::wire
