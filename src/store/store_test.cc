#include "store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/temp_dir.h"
#include "base/text.h"
#include "store/testing.h"

namespace skerry {
namespace {

using store_testing::environment;
using store_testing::event;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr WallTime kLater{1'700'000'001'000'000'000};

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override { reopen(); }
  void reopen() {
    store_.reset();
    auto opened = Store::open(dir_ / "skerry.db");
    ASSERT_TRUE(opened) << opened.error().message();
    store_ = std::move(*opened);
  }
  Environment create(const std::string& name, const std::optional<Zone>& zone = Zone{}) {
    auto made = store_->create_environment(environment(name), zone);
    EXPECT_TRUE(made) << made.error().message();
    return made.value_or(Environment{});
  }
  // Without a type in the filter those of leases are left out: most tests ask about something else.
  std::vector<std::string> event_types(const EventFilter& filter = {}) {
    std::vector<std::string> types;
    const auto events = store_->events(filter).value();
    types.reserve(events.size());
    for (const auto& stored : events) {
      if (!filter.type.empty() || !stored.type.starts_with("lease.")) types.push_back(stored.type);
    }
    return types;
  }

  TempDir dir_ = TempDir::create("skerry-store-").value();
  std::unique_ptr<Store> store_;
};

TEST_F(StoreTest, EnvironmentComesBackAsItWasAlsoAfterReopening) {
  auto full = environment("web");
  full.spec.isolation = Isolation::kMicrovm;
  full.spec.env = {{"A", "b\"c\n"}, {"Ü", "ß"}};
  full.spec.ports = {{"127.0.0.1", 8080, 80, Protocol::kTcp}, {"", 53, 53, Protocol::kUdp}};
  full.spec.mounts = {{"/src", "/dst", true}};
  full.spec.resources = {1500, 256, 77};
  full.spec.labels = {{"k", "v"}};
  full.image_digest = "sha256:abc";
  full.status.state = State::kFailed;
  full.status.goal = Goal::kRunning;
  full.status.health = Health::kUnhealthy;
  full.status.pid = 4711;
  full.status.exit_code = 0;
  full.status.reason = "because";
  full.status.restarts = 3;
  full.status.incarnation = 9;
  full.status.started_at = {123};
  const auto made = store_->create_environment(full, Zone{}).value();
  full.ip = "192.168.127.100";
  EXPECT_EQ(made, full);
  EXPECT_THAT(store_->environments().value(), ElementsAre(full));
  reopen();
  EXPECT_THAT(store_->environments().value(), ElementsAre(full));
}

TEST_F(StoreTest, WithoutAZoneThereIsNoLease) {
  EXPECT_EQ(create("lonely", std::nullopt).ip, "");
  EXPECT_THAT(store_->leases().value(), IsEmpty());
}

TEST_F(StoreTest, TakenNameIsRefusedAndNothingChanges) {
  create("web");
  auto second = environment("web");
  second.id = "ffffffffffffffff";
  const auto refused = store_->create_environment(second, Zone{});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kAlreadyExists);
  EXPECT_THAT(refused.error().message(), HasSubstr("web"));
  EXPECT_EQ(store_->leases().value().size(), 1U);
  EXPECT_EQ(store_->last_event_id().value(), 2U) << "created, its lease taken";
}

TEST_F(StoreTest, UpdateReplacesAndTellsInOneStep) {
  auto web = create("web");
  web.status.state = State::kRunning;
  web.status.pid = 12;
  web.spec.resources.memory_mib = 1024;
  ASSERT_TRUE(store_->update_environment(web, {event("container.started", "web")}));
  EXPECT_THAT(store_->environments().value(), ElementsAre(web));
  EXPECT_THAT(event_types(), ElementsAre("container.created", "container.started"));
}

TEST_F(StoreTest, UpdateOfWhatIsGoneStoresNoEvent) {
  const auto web = create("web");
  ASSERT_TRUE(store_->delete_environment(web.id, {event("container.deleted", "web")}));
  const auto gone = store_->update_environment(web, {event("container.started", "web")});
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(store_->delete_environment(web.id, {event("container.deleted", "web")}));
  EXPECT_THAT(event_types(), ElementsAre("container.created", "container.deleted"));
}

// Its name is free at once, its address when it is let go of.
TEST_F(StoreTest, ARetiredEnvironmentLeavesItsAddressSetAside) {
  const auto web = create("web");
  ASSERT_TRUE(
      store_->retire_environment(web.id, {event("container.stopped", "web"), event("container.deleted", "web")}));
  EXPECT_THAT(store_->environments().value(), ElementsAre());
  EXPECT_THAT(event_types(), ElementsAre("container.created", "container.stopped", "container.deleted"));
  const auto next = create("web");
  EXPECT_NE(next.ip, web.ip);
  ASSERT_TRUE(store_->release_address(next.ip, kLater)) << "that one is in use";
  EXPECT_EQ(store_->leases().value().size(), 2U);
  ASSERT_TRUE(store_->release_address(web.ip, kLater));
  EXPECT_EQ(create("other").ip, web.ip);
  ASSERT_TRUE(store_->retire_environment(next.id, {}));
  ASSERT_TRUE(store_->release_address("", kLater));
  EXPECT_EQ(store_->leases().value().size(), 1U);
}

// The address is told of when it is taken and when it may be leased again, which is not when its environment goes.
TEST_F(StoreTest, LeasesTellOfThemselvesWithTheChange) {
  const auto web = create("web");
  const auto bare = create("bare", std::nullopt);
  EXPECT_THAT(event_types({0, 1000, "lease.", ""}), ElementsAre("lease.taken"));
  const auto told = store_->events({0, 1000, "lease.taken", web.ip}).value();
  ASSERT_EQ(told.size(), 1U);
  const Event& taken = told[0];
  EXPECT_EQ(taken.data, (std::map<std::string, std::string>{
                            {"environment", "web"}, {"ip", "192.168.127.100"}, {"zone", "default"}}));
  EXPECT_EQ(taken.time, web.status.created_at);
  ASSERT_TRUE(store_->delete_environment(bare.id, {event("container.deleted", "bare")}));
  ASSERT_TRUE(store_->delete_environment(web.id, {event("container.deleted", "web")}));
  const auto released = store_->events({0, 1000, "lease.released", ""}).value();
  ASSERT_EQ(released.size(), 1U);
  EXPECT_EQ(released[0].data, taken.data);
  const auto next = create("next");
  ASSERT_TRUE(store_->retire_environment(next.id, {event("container.deleted", "next")}));
  EXPECT_EQ(event_types({0, 1000, "lease.released", ""}).size(), 1U) << "it is still set aside";
  ASSERT_TRUE(store_->release_address(next.ip, kLater));
  ASSERT_TRUE(store_->release_address(next.ip, kLater)) << "and is told of once";
  std::vector<std::string> order;
  const auto since = store_->events({released[0].id, 1000, "", ""}).value();
  for (const auto& stored : since) order.push_back(stored.type);
  EXPECT_THAT(order, ElementsAre("container.created", "lease.taken", "container.deleted", "lease.released"));
  EXPECT_EQ(store_->events({released[0].id, 1000, "lease.released", ""}).value().at(0).time, kLater);
}

TEST_F(StoreTest, ListIsInOrderOfCreation) {
  for (const auto* name : {"zeta", "alpha", "mid"}) create(name);
  std::vector<std::string> names;
  const auto environments = store_->environments().value();
  names.reserve(environments.size());
  for (const auto& found : environments) names.push_back(found.spec.name);
  EXPECT_THAT(names, ElementsAre("zeta", "alpha", "mid"));
}

TEST_F(StoreTest, LeasesAreLowestFreeAndReleasedOnDelete) {
  const auto a = create("a");
  const auto b = create("b");
  const auto c = create("c");
  EXPECT_EQ(a.ip, "192.168.127.100");
  EXPECT_EQ(b.ip, "192.168.127.101");
  EXPECT_EQ(c.ip, "192.168.127.102");
  ASSERT_TRUE(store_->delete_environment(b.id, {}));
  EXPECT_EQ(create("d").ip, "192.168.127.101");
  EXPECT_EQ(create("e").ip, "192.168.127.103");
  const auto leases = store_->leases().value();
  ASSERT_EQ(leases.size(), 4U);
  EXPECT_EQ(leases[0].ip, "192.168.127.100");
  EXPECT_EQ(leases[0].environment_id, a.id);
  EXPECT_EQ(leases[0].zone, "default");
  EXPECT_EQ(leases[0].leased_at, a.status.created_at);
}

TEST_F(StoreTest, FullPoolRefusesAndLeavesNothing) {
  Zone small;
  small.pool_last = "192.168.127.101";
  create("a", small);
  create("b", small);
  const auto refused = store_->create_environment(environment("c"), small);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(refused.error().message(), HasSubstr("192.168.127.100-192.168.127.101"));
  EXPECT_EQ(store_->environments().value().size(), 2U);
  EXPECT_EQ(store_->last_event_id().value(), 4U);
}

TEST_F(StoreTest, EventsAreFilteredAndPaged) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(store_->append_events({event("vm.created", cat("vm", i)), event("vmx.other", "x")}));
  }
  ASSERT_TRUE(store_->append_events({event("vm.deleted", "vm1")}));
  EXPECT_EQ(event_types({0, 1000, "vm.created", ""}).size(), 3U);
  EXPECT_EQ(event_types({0, 1000, "vm.", ""}).size(), 4U) << "the noun, not what begins like it";
  EXPECT_THAT(event_types({0, 1000, "", "vm1"}), ElementsAre("vm.created", "vm.deleted"));
  EXPECT_THAT(event_types({0, 1000, "vm.deleted", "vm0"}), IsEmpty());
  EXPECT_THAT(event_types({5, 1000, "", ""}), ElementsAre("vmx.other", "vm.deleted"));
  const auto first = store_->events({0, 2, "", ""}).value();
  ASSERT_EQ(first.size(), 2U);
  EXPECT_EQ(first[0].id, 1U);
  EXPECT_EQ(first[1].id, 2U);
  EXPECT_EQ(first[0].data, (std::map<std::string, std::string>{{"name", "vm0"}}));
  EXPECT_THAT(event_types({~0ULL, 1000, "", ""}), IsEmpty());
}

TEST_F(StoreTest, PrunedIdsAreNeverGivenAgain) {
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(store_->append_events({event("a.b", "x")}));
  ASSERT_TRUE(store_->prune_events(3));
  const auto left = store_->events({}).value();
  ASSERT_EQ(left.size(), 3U);
  EXPECT_EQ(left[0].id, 8U);
  ASSERT_TRUE(store_->prune_events(0));
  EXPECT_EQ(store_->last_event_id().value(), 10U);
  reopen();
  ASSERT_TRUE(store_->append_events({event("a.b", "x")}));
  EXPECT_EQ(store_->events({}).value()[0].id, 11U);
}

TEST_F(StoreTest, ListenerHearsOfEventsOnlyAndInOrder) {
  std::vector<std::uint64_t> heard;
  store_->on_events([&](std::uint64_t id) {
    heard.push_back(id);
    EXPECT_EQ(store_->last_event_id().value(), id) << "the listener may use the store";
  });
  const auto web = create("web");
  ASSERT_TRUE(store_->update_environment(web, {}));
  ASSERT_TRUE(store_->append_events({event("a.b", "x"), event("a.c", "x")}));
  ASSERT_FALSE(store_->remove_plugin({"none", ""}, {event("plugin.removed", "none")}));
  ASSERT_TRUE(store_->prune_events(0));
  EXPECT_THAT(heard, ElementsAre(2U, 4U));
}

TEST_F(StoreTest, PluginsLiveTheirLife) {
  const Plugin nginx{"nginx", "1.0", "nginx", R"({"name":"nginx"})", true, {77}};
  ASSERT_TRUE(store_->install_plugin(nginx, {event("plugin.installed", "nginx")}));
  EXPECT_EQ(store_->install_plugin(nginx, {event("plugin.installed", "nginx")}).error().code,
            ErrorCode::kAlreadyExists);
  ASSERT_TRUE(store_->install_plugin({"caddy", "2", "caddy", "{}", true, {78}}, {}));
  ASSERT_TRUE(store_->set_plugin_enabled({"nginx", ""}, false, {event("plugin.disabled", "nginx")}));
  EXPECT_FALSE(store_->find_plugin({"nginx", ""}).value()->enabled);
  EXPECT_EQ(store_->find_plugin({"nginx", ""}).value()->manifest_json, nginx.manifest_json);
  EXPECT_FALSE(store_->find_plugin({"none", ""}).value());
  EXPECT_EQ(store_->plugins().value()[0].name, "caddy");
  EXPECT_EQ(store_->set_plugin_enabled({"none", ""}, true, {}).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(store_->remove_plugin({"nginx", ""}, {event("plugin.removed", "nginx")}));
  EXPECT_EQ(store_->remove_plugin({"nginx", ""}, {}).error().code, ErrorCode::kNotFound);
  EXPECT_THAT(event_types(), ElementsAre("plugin.installed", "plugin.disabled", "plugin.removed"));
}

TEST_F(StoreTest, VersionsOfAPluginStandSideBySide) {
  const auto install = [&](const char* version, bool enabled) {
    return store_->install_plugin({"web", version, "", cat("{\"v\":\"", version, "\"}"), enabled, {1}}, {});
  };
  const auto usual = [&] { return store_->find_plugin({"web", ""}).value()->version; };
  for (const auto* version : {"1.9", "1.10", "2.0-rc1"}) ASSERT_TRUE(install(version, true));
  EXPECT_EQ(install("1.9", true).error().code, ErrorCode::kAlreadyExists);
  ASSERT_TRUE(install("3", false));
  std::vector<std::string> versions;
  const auto all = store_->plugins().value();
  for (const auto& each : all) versions.push_back(each.version);
  EXPECT_THAT(versions, ElementsAre("3", "2.0-rc1", "1.10", "1.9"));
  EXPECT_EQ(usual(), "2.0-rc1") << "the newest enabled one";
  EXPECT_EQ(store_->find_plugin({"web", "1.9"}).value()->manifest_json, R"({"v":"1.9"})");
  ASSERT_TRUE(store_->set_plugin_enabled({"web", "2.0-rc1"}, false, {}));
  EXPECT_EQ(usual(), "1.10");
  ASSERT_TRUE(store_->set_plugin_enabled({"web", ""}, false, {}));
  EXPECT_EQ(usual(), "3") << "none is enabled: the newest";
  auto made = environment("a");
  made.spec.plugin = "web";
  made.spec.plugin_version = "1.9";
  ASSERT_TRUE(store_->create_environment(made, {}));
  ASSERT_TRUE(store_->remove_plugin({"web", "3"}, {})) << "another version is used, not this one";
  EXPECT_EQ(store_->remove_plugin({"web", "1.9"}, {}).error().code, ErrorCode::kConflict);
  EXPECT_EQ(store_->remove_plugin({"web", ""}, {}).error().code, ErrorCode::kConflict);
  EXPECT_EQ(store_->plugins()->size(), 3U) << "all or none";
  ASSERT_TRUE(store_->remove_plugin({"web", ""}, {}, PluginUsers::kLeaveBehind));
  EXPECT_TRUE(store_->plugins()->empty());
  const auto names = [&] { return store_testing::query(dir_ / "skerry.db", "SELECT name FROM plugin_names"); };
  EXPECT_EQ(names(), "web");
  ASSERT_TRUE(store_->delete_environment(store_->environments()->at(0).id, {}));
  ASSERT_TRUE(store_->install_plugin({"x", "1", "", "{}", true, {}}, {}));
  ASSERT_TRUE(store_->remove_plugin({"x", ""}, {}));
  EXPECT_EQ(names(), "") << "nobody refers to it any more";
}

Deployment deployment(const std::string& name, std::uint32_t replicas) {
  Deployment out;
  out.name = name;
  out.plugin = "nginx";
  out.plugin_version = "1";
  out.replicas = replicas;
  out.config_json = "{}";
  out.created_at = {5};
  return out;
}

TEST_F(StoreTest, UsedPluginCannotBeRemovedNorAMissingOneUsed) {
  auto web = environment("web");
  web.spec.plugin = "nginx";
  web.spec.plugin_version = "1";
  EXPECT_EQ(store_->create_environment(web, {}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->put_deployment(deployment("d", 1), {}).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(store_->install_plugin({"nginx", "1", "nginx", "{}", true, {}}, {}));
  ASSERT_TRUE(store_->create_environment(web, {}));
  const auto used = store_->remove_plugin({"nginx", ""}, {event("plugin.removed", "nginx")});
  ASSERT_FALSE(used);
  EXPECT_EQ(used.error().code, ErrorCode::kConflict);
  EXPECT_THAT(used.error().message(), HasSubstr("environment web"));
  ASSERT_TRUE(store_->put_deployment(deployment("d", 1), {}));
  EXPECT_THAT(store_->remove_plugin({"nginx", ""}, {}).error().message(), HasSubstr("deployment d"));
  EXPECT_THAT(store_->remove_plugin({"nginx", "1"}, {}).error().message(), HasSubstr("deployment d"));
  ASSERT_TRUE(store_->remove_plugin({"nginx", "1"}, {}, PluginUsers::kLeaveBehind));
  // Both live on, remember what they were made of, and can still be changed.
  ASSERT_TRUE(store_->put_deployment(deployment("d", 0), {}));
  auto moved = deployment("d", 0);
  moved.plugin_version = "2";
  EXPECT_EQ(store_->put_deployment(moved, {}).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(store_->remove_deployment("d", {}));
  web = store_->environments()->at(0);
  EXPECT_EQ(web.spec.plugin, "nginx");
  web.status.reason = "changed";
  ASSERT_TRUE(store_->update_environment(web, {}));
  EXPECT_EQ(store_->environments()->at(0).status.reason, "changed");
}

TEST_F(StoreTest, DeploymentsAreReplacedAndRemoved) {
  ASSERT_TRUE(store_->install_plugin({"nginx", "1", "nginx", "{}", true, {}}, {}));
  Deployment web = deployment("web", 2);
  web.max_unavailable = 2;
  web.previous_config_json = R"({"memory_mb":64})";
  web.rolling = web.reverting = true;
  web.service = ServiceSpec{"192.168.127.2", {{"", 80, 8080, Protocol::kTcp}, {"", 53, 53, Protocol::kUdp}}};
  ASSERT_TRUE(store_->put_deployment(web, {event("deployment.created", "web")}));
  web.replicas = 5;
  ASSERT_TRUE(store_->put_deployment(web, {event("deployment.scaled", "web")}));
  EXPECT_THAT(store_->deployments().value(), ElementsAre(web));
  web.service.reset();
  ASSERT_TRUE(store_->put_deployment(web, {}));
  EXPECT_THAT(store_->deployments().value(), ElementsAre(web));
  ASSERT_TRUE(store_->remove_deployment("web", {event("deployment.deleted", "web")}));
  EXPECT_EQ(store_->remove_deployment("web", {}).error().code, ErrorCode::kNotFound);
}

TEST_F(StoreTest, TablesHaveTheDocumentsShape) {
  ASSERT_TRUE(store_->install_plugin({"nginx", "1", "nginx", "{}", true, {}}, {}));
  ASSERT_TRUE(store_->put_deployment(deployment("web", 2), {}));
  for (const auto* name : {"web-1", "web-2"}) {
    auto replica = environment(name);
    replica.spec.isolation = Isolation::kMicrovm;
    replica.spec.plugin = "nginx";
    replica.spec.deployment = "web";
    replica.spec.resources = {1500, 256, 10};
    ASSERT_TRUE(store_->create_environment(replica, Zone{}));
  }
  create("a-container");
  const auto ask = [&](const std::string& sql) { return store_testing::query(dir_ / "skerry.db", sql); };
  EXPECT_EQ(ask("SELECT id, plugin, ip, state, pid, cpu_cores, memory_mb, created_at, started_at FROM vms LIMIT 1"),
            "web-1|nginx|192.168.127.100|created||1.5|256|2023-11-14T22:13:20Z|");
  EXPECT_EQ(ask("SELECT count(*) FROM vms"), "2");
  EXPECT_EQ(ask("SELECT name, plugin, replicas, current, created_at FROM deployments"), "web|nginx|2|2|5");
  ASSERT_TRUE(store_->delete_environment(store_->environments().value()[0].id, {}));
  EXPECT_EQ(ask("SELECT current FROM deployments"), "1");
  EXPECT_EQ(ask("SELECT name, version, runtime, manifest, enabled, created_at FROM plugins"), "nginx|1|nginx|{}|1|0");
  EXPECT_EQ(ask("SELECT ip FROM ip_leases WHERE vm_id IS NULL"), "");
  EXPECT_EQ(ask("SELECT id, type, resource_id, timestamp > 0 FROM events LIMIT 1"), "1|vm.created|web-1|1");
}

TEST_F(StoreTest, WritersAndReadersAtOnceLoseNothing) {
  constexpr int kThreads = 4;
  constexpr int kEach = 50;
  std::atomic<bool> stop = false;
  std::vector<std::uint64_t> heard;
  store_->on_events([&](std::uint64_t id) { heard.push_back(id); });
  std::thread reader([&] {
    std::uint64_t last = 0;
    while (!stop) {
      const auto events = store_->events({last, 1000, "", ""}).value();
      for (const auto& found : events) {
        EXPECT_EQ(found.id, last + 1) << "ids become visible in order";
        last = found.id;
      }
    }
  });
  std::vector<std::thread> writers;
  writers.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    writers.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) EXPECT_TRUE(store_->create_environment(environment(cat("e", t, "-", i)), {}));
    });
  }
  for (auto& writer : writers) writer.join();
  stop = true;
  reader.join();
  EXPECT_EQ(store_->environments().value().size(), static_cast<std::size_t>(kThreads * kEach));
  EXPECT_EQ(store_->last_event_id().value(), static_cast<std::uint64_t>(kThreads * kEach));
  EXPECT_TRUE(std::ranges::is_sorted(heard));
  EXPECT_EQ(heard.back(), static_cast<std::uint64_t>(kThreads * kEach));
}

}  // namespace
}  // namespace skerry
