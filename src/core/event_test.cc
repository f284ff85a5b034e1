#include "core/event.h"

#include <gtest/gtest.h>

namespace skerry {
namespace {

using Data = std::map<std::string, std::string>;

TEST(EnvironmentEvent, TellsWhatEveryClientExpects) {
  Environment vm;
  vm.spec.name = "nginx-demo";
  vm.spec.isolation = Isolation::kMicrovm;
  vm.spec.plugin = "nginx";
  vm.ip = "192.168.127.100";
  vm.status.state = State::kRunning;
  const auto event = environment_event(vm, "started", WallTime{42});
  EXPECT_EQ(event.id, 0U);
  EXPECT_EQ(event.type, "vm.started");
  EXPECT_EQ(event.resource, "nginx-demo");
  EXPECT_EQ(event.time, WallTime{42});
  EXPECT_EQ(event.data, (Data{{"name", "nginx-demo"},
                              {"state", "running"},
                              {"isolation", "microvm"},
                              {"zone", "default"},
                              {"plugin", "nginx"},
                              {"ip", "192.168.127.100"}}));
}

TEST(EnvironmentEvent, AnEndTellsCodeAndReason) {
  Environment container;
  container.spec.name = "job";
  container.spec.image = "debian:12";
  container.status.state = State::kFailed;
  container.status.exit_code = 137;
  container.status.reason = "out of memory";
  const auto event = environment_event(container, "crashed", WallTime{1});
  EXPECT_EQ(event.type, "container.crashed");
  EXPECT_EQ(event.data, (Data{{"name", "job"},
                              {"state", "failed"},
                              {"isolation", "container"},
                              {"zone", "default"},
                              {"image", "debian:12"},
                              {"exit_code", "137"},
                              {"reason", "out of memory"}}));
}

// The microVM document's words.
TEST(EnvironmentEvent, HealthTellsHowTheCheckWent) {
  Environment vm;
  vm.spec.name = "nginx-demo";
  vm.spec.isolation = Isolation::kMicrovm;
  EXPECT_EQ(environment_event(vm, "healthy", WallTime{1}).data.at("health_check"), "passed");
  EXPECT_EQ(environment_event(vm, "unhealthy", WallTime{1}).data.at("health_check"), "failed");
  EXPECT_FALSE(environment_event(vm, "started", WallTime{1}).data.contains("health_check"));
}

TEST(EventNoun, MicrovmsAndVmsAreBothVms) {
  EXPECT_EQ(event_noun(Isolation::kContainer), "container");
  EXPECT_EQ(event_noun(Isolation::kMicrovm), "vm");
  EXPECT_EQ(event_noun(Isolation::kVm), "vm");
}

}  // namespace
}  // namespace skerry
