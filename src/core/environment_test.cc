#include "core/environment.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry {
namespace {

// Every value has a word of its own, and the word leads back to it.
template <typename T, typename Parse>
void expect_round_trip(std::initializer_list<T> values, Parse parse) {
  for (const T value : values) {
    EXPECT_NE(to_text(value), "invalid");
    const auto back = parse(to_text(value));
    ASSERT_TRUE(back) << to_text(value);
    EXPECT_EQ(*back, value) << to_text(value);
  }
  for (const std::string_view bad : {"", " ", "Running", "no-such-word"}) {
    const auto answer = parse(bad);
    ASSERT_FALSE(answer) << bad;
    EXPECT_EQ(answer.error().code, ErrorCode::kInvalidArgument);
    for (const T value : values) EXPECT_NE(answer.error().hint.find(to_text(value)), std::string::npos);
  }
}

TEST(EnvironmentWords, RoundTrip) {
  expect_round_trip({Isolation::kContainer, Isolation::kMicrovm, Isolation::kVm}, parse_isolation);
  expect_round_trip({Kind::kApp, Kind::kDisposable, Kind::kTemplate}, parse_kind);
  expect_round_trip({State::kCreated, State::kStarting, State::kRunning, State::kPaused, State::kSuspended,
                     State::kStopping, State::kStopped, State::kFailed, State::kDeleting},
                    parse_state);
  expect_round_trip({Goal::kStopped, Goal::kRunning, Goal::kPaused, Goal::kSuspended, Goal::kDeleted}, parse_goal);
  expect_round_trip({RestartMode::kNo, RestartMode::kOnFailure, RestartMode::kAlways, RestartMode::kUnlessStopped},
                    parse_restart_mode);
  expect_round_trip({Health::kUnknown, Health::kHealthy, Health::kUnhealthy}, parse_health);
}

TEST(EnvironmentWords, AHugeWordIsNotRepeatedWhole) {
  const auto answer = parse_isolation(std::string(100'000, 'x'));
  ASSERT_FALSE(answer);
  EXPECT_LT(answer.error().step.size(), 200U);
}

EnvironmentSpec valid() {
  EnvironmentSpec spec;
  spec.name = "web";
  spec.image = "nginx";
  return spec;
}

using Change = std::function<void(EnvironmentSpec&)>;

TEST(Validate, AcceptsWhatIsRight) {
  const std::vector<Change> changes{
      [](auto&) {},
      [](auto& s) { s.name = std::string(63, 'a'); },
      [](auto& s) { s.name = "0"; },
      [](auto& s) { s.hostname = "a.b-c.example"; },
      [](auto& s) { s.image = "", s.rootfs_path = "/srv/rootfs"; },
      [](auto& s) { s.image = "", s.plugin = "nginx"; },
      [](auto& s) { s.plugin = "nginx"; },
      [](auto& s) { s.resources = {.cpu_milli = 10, .memory_mib = 4, .pids = 1}; },
      [](auto& s) { s.resources = {.cpu_milli = 1'024'000, .memory_mib = 16'777'216, .pids = 4'194'304}; },
      [](auto& s) { s.isolation = Isolation::kMicrovm, s.resources.memory_mib = 96; },
      [](auto& s) { s.env = {{"EMPTY", ""}, {"EQUALS", "a=b"}, {"LINES", "a\nb"}}; },
      [](auto& s) { s.command = {"sh", "-c", ""}; },
      [](auto& s) { s.workdir = "/a/..b"; },
      [](auto& s) { s.mounts = {{"/", "/host", true}}; },
      [](auto& s) { s.tmpfs = {{"/tmp", 1}}; },
      [](auto& s) { s.ports = {{"", 80, 80, Protocol::kTcp}, {"", 80, 80, Protocol::kUdp}}; },
      [](auto& s) { s.ports = {{"127.0.0.1", 80, 80, Protocol::kTcp}, {"127.0.0.2", 80, 81, Protocol::kTcp}}; },
      [](auto& s) { s.auto_remove = true; },
      [](auto& s) { s.restart.mode = RestartMode::kAlways; },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    auto spec = valid();
    changes[i](spec);
    const auto answer = validate(spec);
    EXPECT_TRUE(answer) << "change " << i << ": " << answer.error().message();
  }
}

struct Wrong {
  std::string_view field;  // what the error begins with
  Change change;
};

const std::vector<Wrong>& wrongs() {
  using S = EnvironmentSpec;
  static const std::vector<Wrong> all{
      {"name: ", [](S& s) { s.name = ""; }},
      {"name: ", [](S& s) { s.name = std::string(64, 'a'); }},
      {"name: ", [](S& s) { s.name = "Web"; }},
      {"name: ", [](S& s) { s.name = "-web"; }},
      {"name: ", [](S& s) { s.name = "web-"; }},
      {"name: ", [](S& s) { s.name = "../web"; }},
      {"name: ", [](S& s) { s.name = "we b"; }},
      {"name: ", [](S& s) { s.name = std::string("we\0b", 4); }},
      {"name: ", [](S& s) { s.name = std::string(1U << 20U, '/'); }},
      {"hostname: ", [](S& s) { s.hostname = std::string(65, 'a'); }},
      {"hostname: ", [](S& s) { s.hostname = "a..b"; }},
      {"hostname: ", [](S& s) { s.hostname = "a b"; }},
      {"zone: ", [](S& s) { s.zone = ""; }},
      {"zone: ", [](S& s) { s.zone = "a/b"; }},
      {"image: ", [](S& s) { s.image = ""; }},
      {"image: ", [](S& s) { s.rootfs_path = "/srv"; }},
      {"rootfs_path: ", [](S& s) { s.image = "", s.rootfs_path = "srv"; }},
      {"rootfs_path: ", [](S& s) { s.image = "", s.rootfs_path = "/srv/../etc"; }},
      {"resources.memory_mb: ", [](S& s) { s.resources.memory_mib = 3; }},
      {"resources.memory_mb: ", [](S& s) { s.isolation = Isolation::kMicrovm, s.resources.memory_mib = 63; }},
      {"resources.memory_mb: ", [](S& s) { s.resources.memory_mib = 16'777'217; }},
      {"resources.cpu_cores: ", [](S& s) { s.resources.cpu_milli = 9; }},
      {"resources.cpu_cores: ", [](S& s) { s.resources.cpu_milli = 1'024'001; }},
      {"resources.pids: ", [](S& s) { s.resources.pids = 0; }},
      {"resources.pids: ", [](S& s) { s.resources.pids = 4'194'305; }},
      {"env: ", [](S& s) { s.env = {{"", "x"}}; }},
      {"env: ", [](S& s) { s.env = {{"A=B", "x"}}; }},
      {"env: ", [](S& s) { s.env = {{std::string("A\0", 2), "x"}}; }},
      {"env.A: ", [](S& s) { s.env = {{"A", std::string("x\0", 2)}}; }},
      {"command: ", [](S& s) { s.command = {std::string("x\0", 2)}; }},
      {"command: ", [](S& s) { s.entrypoint = {std::string("x\0", 2)}; }},
      {"workdir: ", [](S& s) { s.workdir = "relative"; }},
      {"workdir: ", [](S& s) { s.workdir = "/a/../.."; }},
      {"mounts[0].source: ", [](S& s) { s.mounts = {{"relative", "/x", false}}; }},
      {"mounts[1].target: ", [](S& s) { s.mounts = {{"/a", "/a", false}, {"/b", "/", false}}; }},
      {"mounts[0].target: ", [](S& s) { s.mounts = {{"/a", "/x/../../etc", false}}; }},
      {"mounts[0].source: ", [](S& s) { s.mounts = {{"/" + std::string(4096, 'a'), "/x", false}}; }},
      {"tmpfs[0].target: ", [](S& s) { s.tmpfs = {{"tmp", 64}}; }},
      {"tmpfs[0].target: ", [](S& s) { s.tmpfs = {{"/", 64}}; }},
      {"tmpfs[0].size_mb: ", [](S& s) { s.tmpfs = {{"/tmp", 0}}; }},
      {"ports[0].host_port: ", [](S& s) { s.ports = {{"", 0, 80, Protocol::kTcp}}; }},
      {"ports[0].guest_port: ", [](S& s) { s.ports = {{"", 80, 0, Protocol::kTcp}}; }},
      {"ports[1]: ", [](S& s) { s.ports = {{"", 80, 1, Protocol::kTcp}, {"", 80, 2, Protocol::kTcp}}; }},
      {"ports[1]: ", [](S& s) { s.ports = {{"", 80, 1, Protocol::kTcp}, {"127.0.0.1", 80, 2, Protocol::kTcp}}; }},
      {"ports[1]: ", [](S& s) { s.ports = {{"127.0.0.1", 80, 1, Protocol::kTcp}, {"", 80, 1, Protocol::kTcp}}; }},
      {"kind: ", [](S& s) { s.kind = Kind::kTemplate, s.auto_remove = true; }},
      {"restart: ", [](S& s) { s.restart.mode = RestartMode::kAlways, s.auto_remove = true; }},
  };
  return all;
}

TEST(Validate, KnowsTheCapabilities) {
  EnvironmentSpec spec;
  spec.name = "web";
  spec.image = "nginx";
  spec.security.cap_drop = {"ALL", "CAP_CHOWN", "net_raw"};
  spec.security.cap_add = {"CAP_SYS_TIME"};
  EXPECT_TRUE(validate(spec));
  spec.security.cap_add = {"CAP_SYS_TIME", "CAP_FROBNICATE"};
  ASSERT_FALSE(validate(spec));
  EXPECT_EQ(validate(spec).error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(validate(spec).error().message().find("security.cap_add: \"CAP_FROBNICATE\""), std::string::npos)
      << validate(spec).error().message();
}

TEST(Validate, NamesTheFieldThatIsWrong) {
  for (const auto& [field, change] : wrongs()) {
    auto spec = valid();
    change(spec);
    const auto answer = validate(spec);
    ASSERT_FALSE(answer) << field;
    EXPECT_EQ(answer.error().code, ErrorCode::kInvalidArgument);
    EXPECT_TRUE(answer.error().step.starts_with(field)) << field << " but: " << answer.error().step;
    EXPECT_LT(answer.error().step.size(), 400U);
  }
}

}  // namespace
}  // namespace skerry
