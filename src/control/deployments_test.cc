#include "control/deployments.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "base/file_io.h"
#include "base/text.h"
#include "control/health.h"
#include "testing/controller_fixture.h"
#include "testing/faulty_store.h"

namespace skerry {
namespace {

using testing::DriverCall;

class DeploymentsTest : public testing::ControllerTest {
 protected:
  void SetUp() override {
    pool_last_ = "192.168.127.200";
    ControllerTest::SetUp();
    open();
  }
  void TearDown() override {
    deployments_.reset();
    ControllerTest::TearDown();
  }
  virtual void open() { deployments_ = Deployments::create(*store_, *controller_, *feed_, clock_).value(); }
  void restart() {
    deployments_.reset();
    restart_daemon();
    open();
  }
  std::set<std::string> running() {
    std::set<std::string> names;
    for (const auto& each : controller_->environments()) {
      if (each.status.state == State::kRunning) names.insert(each.spec.name);
    }
    return names;
  }
  bool settles(const std::set<std::string>& names) {
    return eventually([&] {
      return running() == names && controller_->environments().size() == names.size() &&
             store_->leases()->size() == names.size();
    });
  }

  const std::string config_ = R"({"rootfs_path":"/","memory_mb":64})";
  std::unique_ptr<Deployments> deployments_;
};

class PluginVersionsTest : public DeploymentsTest {
 protected:
  void SetUp() override {
    DeploymentsTest::SetUp();
    // An empty archive is one: two blocks of zeros.
    ASSERT_TRUE(write_file_atomic(dir_ / "root.tar", std::string(1024, '\0'), 0600));
    const auto name = ImageReference::parse("localhost/base:1").value();
    ASSERT_TRUE(images_->import_rootfs(dir_ / "root.tar", name, {}, {}));
    for (const auto* version : {"1", "2"}) install(version);
  }
  void install(const std::string& version) {
    const auto manifest =
        cat(R"({"name":"p","version":")", version,
            R"(","image":"localhost/base:1","workload":{"entrypoint":["/x"],"env":{"V":")", version, R"("}}})");
    ASSERT_TRUE(store_->install_plugin({"p", version, "", manifest, true, {}}, {installed()}));
  }
  static Event installed() { return {0, "plugin.installed", "p", {}, {}}; }
  // Of each replica that runs: what its plugin's version put into its environment.
  std::multiset<std::string> versions() {
    std::multiset<std::string> out;
    for (const auto& each : controller_->environments()) {
      if (each.status.state == State::kRunning) out.insert(each.spec.env.at("V"));
    }
    return out;
  }
  bool comes_to(const std::multiset<std::string>& wanted) {
    return eventually([&] { return versions() == wanted; });
  }

  const std::string small_ = R"({"memory_mb":64})";
};

TEST_F(PluginVersionsTest, ADeploymentKeepsItsVersionUntilItIsUpdated) {
  const auto added = deployments_->add("web", "p", small_, 2);
  ASSERT_TRUE(added) << added.error().message();
  EXPECT_EQ(added->deployment.plugin_version, "2") << "the newest";
  ASSERT_TRUE(comes_to({"2", "2"}));
  install("3");
  ASSERT_TRUE(deployments_->scale("web", 3));
  ASSERT_TRUE(comes_to({"2", "2", "2"}));
  restart();
  Deployments::Change change;
  change.max_unavailable = 3;
  ASSERT_TRUE(deployments_->update("web", change));
  EXPECT_EQ(deployments_->find("web")->deployment.plugin_version, "2") << "nothing was said of the plugin";
  change.plugin = "p";
  ASSERT_TRUE(deployments_->update("web", change));
  ASSERT_TRUE(comes_to({"3", "3", "3"}));
  ASSERT_TRUE(deployments_->roll_back("web"));
  ASSERT_TRUE(comes_to({"2", "2", "2"}));
  change.plugin = "p@1";
  ASSERT_TRUE(deployments_->update("web", change));
  ASSERT_TRUE(comes_to({"1", "1", "1"}));
}

TEST_F(PluginVersionsTest, AConfigurationCanNameThePluginToo) {
  const auto added = deployments_->add("web", "", R"({"memory_mb":64,"plugin":"p@1"})", 1);
  ASSERT_TRUE(added) << added.error().message();
  EXPECT_EQ(added->deployment.plugin, "p");
  EXPECT_EQ(added->deployment.plugin_version, "1");
  ASSERT_TRUE(comes_to({"1"}));
  Deployments::Change change;
  change.config_json = R"({"memory_mb":65})";
  EXPECT_EQ(deployments_->update("web", change)->deployment.plugin_version, "1");
  change.config_json = R"({"memory_mb":65,"plugin":"p","plugin_version":"2"})";
  EXPECT_EQ(deployments_->update("web", change)->deployment.plugin_version, "2");
  EXPECT_TRUE(comes_to({"2"}));
}

TEST_F(PluginVersionsTest, WhatIsMissingOrDisabledIsRefused) {
  EXPECT_EQ(deployments_->add("web", "none", small_, 1).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(deployments_->add("web", "p@9", small_, 1).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(store_->set_plugin_enabled({"p", "2"}, false, {}));
  EXPECT_EQ(deployments_->add("web", "p@2", small_, 1).error().code, ErrorCode::kConflict);
  EXPECT_EQ(deployments_->add("web", "p", small_, 1)->deployment.plugin_version, "1");
}

TEST_F(PluginVersionsTest, HostPortsOfThePluginAreForOneReplica) {
  ASSERT_TRUE(store_->install_plugin(
      {"p",
       "3",
       "",
       R"({"name":"p","version":"3","image":"localhost/base:1","network":{"ports":["8080:80"]}})",
       true,
       {}},
      {installed()}));
  const auto refused = deployments_->add("web", "p@3", small_, 2);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("plugin \"p\": network.ports"), std::string::npos);
  ASSERT_TRUE(deployments_->add("one", "p@3", small_, 1));
  EXPECT_EQ(deployments_->scale("one", 2).error().code, ErrorCode::kInvalidArgument);
  ASSERT_TRUE(deployments_->add("web", "p@1", small_, 2));
  Deployments::Change change;
  change.plugin = "p@3";
  EXPECT_EQ(deployments_->update("web", change).error().code, ErrorCode::kInvalidArgument);
  change.replicas = 1;
  EXPECT_TRUE(deployments_->update("web", change));
}

TEST_F(PluginVersionsTest, AChangeThatIsRefusedChangesNothing) {
  ASSERT_TRUE(deployments_->add("web", "p@1", small_, 1));
  ASSERT_TRUE(comes_to({"1"}));
  Deployments::Change change;
  change.plugin = "p@2";
  change.replicas = 5000;
  EXPECT_EQ(deployments_->update("web", change).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(deployments_->find("web")->deployment.plugin_version, "1");
  const auto before = event_types();
  EXPECT_EQ(std::ranges::count(before, "deployment.updated"), 0);
  EXPECT_EQ(std::ranges::count(before, "deployment.scaled"), 0);
  change.replicas = 2;
  EXPECT_EQ(deployments_->update("web", change)->deployment.replicas, 2U);
  const auto after = event_types();
  EXPECT_EQ(std::ranges::count(after, "deployment.updated"), 1);
  EXPECT_EQ(std::ranges::count(after, "deployment.scaled"), 1);
  EXPECT_TRUE(comes_to({"2", "2"}));
}

// --force took its plugin away: replicas stay, also a sick one; it says why, and goes on when the plugin is back.
TEST_F(PluginVersionsTest, ADeploymentWithoutItsPluginKeepsWhatItHas) {
  ASSERT_TRUE(deployments_->add("web", "p@2", small_, 5));
  ASSERT_TRUE(comes_to({"2", "2", "2", "2", "2"}));
  ASSERT_TRUE(store_->remove_plugin({"p", "2"}, {installed()}, PluginUsers::kLeaveBehind));
  const auto sick = controller_->find("web-1").value();
  controller_->report_health(sick.id, sick.status.incarnation, Health::kUnhealthy, "test");
  ASSERT_TRUE(ask("web-2", Verb::kStop));
  EXPECT_NE(deployments_->find("web")->reason.find("plugin \"p@2\" is not installed any more"), std::string::npos);
  ASSERT_TRUE(deployments_->scale("web", 2)) << "what it has can be changed";
  ASSERT_TRUE(eventually([&] { return !controller_->find("web-5"); }));
  EXPECT_EQ(state_of("web-3"), State::kRunning) << "two are wanted, and neither of the lowest is well";
  EXPECT_EQ(state_of("web-4"), State::kRunning);
  EXPECT_EQ(controller_->find("web-1")->id, sick.id);
  EXPECT_EQ(state_of("web-2"), State::kStopped) << "not thrown away: it could not be made again";
  install("2");
  ASSERT_TRUE(eventually([&] { return controller_->find("web-1") && controller_->find("web-1")->id != sick.id; }));
  EXPECT_TRUE(settles({"web-1", "web-2"}));
  EXPECT_EQ(deployments_->find("web")->reason, "");
}

TEST_F(DeploymentsTest, KeepsNReplicasUpAndDown) {
  const auto added = deployments_->add("web", "", config_, 3);
  ASSERT_TRUE(added) << added.error().message();
  EXPECT_TRUE(settles({"web-1", "web-2", "web-3"}));
  ASSERT_TRUE(deployments_->scale("web", 5));
  EXPECT_TRUE(settles({"web-1", "web-2", "web-3", "web-4", "web-5"}));
  ASSERT_TRUE(deployments_->scale("web", 2));
  EXPECT_TRUE(settles({"web-1", "web-2"}));
  EXPECT_EQ(store_->leases()->size(), 2U);
  EXPECT_EQ(deployments_->find("web")->ready, 2U);
  ASSERT_TRUE(deployments_->remove("web"));
  EXPECT_TRUE(settles({}));
  EXPECT_TRUE(deployments_->list()->empty());
}

TEST_F(DeploymentsTest, ReplacesWhatDiesAndWhatIsDeletedByHand) {
  ASSERT_TRUE(deployments_->add("web", "", config_, 3));
  ASSERT_TRUE(settles({"web-1", "web-2", "web-3"}));
  const auto victim = controller_->find("web-2")->id;
  driver_.end_run(victim, 1);
  EXPECT_TRUE(eventually([&] {
    const auto found = controller_->find("web-2");
    return found && found->id != victim && found->status.state == State::kRunning;
  }));
  ASSERT_TRUE(ask("web-1", Verb::kForceDelete));
  EXPECT_TRUE(settles({"web-1", "web-2", "web-3"}));
}

TEST_F(DeploymentsTest, ANewConfigurationRollsThroughAllReplicas) {
  ASSERT_TRUE(deployments_->add("web", "", config_, 3));
  ASSERT_TRUE(settles({"web-1", "web-2", "web-3"}));
  ASSERT_TRUE(deployments_->update("web", {std::nullopt, R"({"rootfs_path":"/","memory_mb":128})", std::nullopt}));
  EXPECT_TRUE(eventually([&] {
    const auto all = controller_->environments();
    return all.size() == 3 && std::ranges::all_of(all, [](const auto& each) {
             return each.spec.resources.memory_mib == 128 && each.status.state == State::kRunning;
           });
  }));
}

TEST_F(DeploymentsTest, AnUpdateIsCompleteWhenAllAreReadyAndCanBeRolledBack) {
  const std::string newer = R"({"rootfs_path":"/","memory_mb":128})";
  ASSERT_TRUE(deployments_->add("web", "", config_, 3, 2));
  ASSERT_TRUE(settles({"web-1", "web-2", "web-3"}));
  EXPECT_EQ(deployments_->roll_back("web").error().code, ErrorCode::kConflict) << "nothing to go back to";
  ASSERT_TRUE(deployments_->update("web", {std::nullopt, newer, std::nullopt})->deployment.rolling);
  EXPECT_TRUE(eventually([&] { return !deployments_->find("web")->deployment.rolling; }));
  EXPECT_EQ(deployments_->find("web")->ready, 3U);
  EXPECT_EQ(std::ranges::count(event_types(), "deployment.rolled_out"), 1);
  const auto back = deployments_->roll_back("web");
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->deployment.config_json, config_);
  EXPECT_EQ(back->deployment.previous_config_json, newer);
  EXPECT_TRUE(eventually([&] {
    const auto all = controller_->environments();
    return all.size() == 3 && std::ranges::all_of(all, [](const auto& each) {
             return each.spec.resources.memory_mib == 64 && each.status.state == State::kRunning;
           });
  }));
}

TEST_F(DeploymentsTest, AnUpdateThatDoesNotStartIsTakenBackAndTheOthersRunOn) {
  ASSERT_TRUE(deployments_->add("web", "", config_, 3));
  ASSERT_TRUE(settles({"web-1", "web-2", "web-3"}));
  const auto untouched = controller_->find("web-3")->id;
  driver_.fail_next(DriverCall::kStart, Error{ErrorCode::kIo, 5, "start", {}}, Deployments::kFailuresToRollBack);
  ASSERT_TRUE(deployments_->update("web", {std::nullopt, R"({"rootfs_path":"/","memory_mb":128})", std::nullopt}));
  EXPECT_TRUE(eventually([&] { return deployments_->find("web")->deployment.config_json == config_; }));
  EXPECT_TRUE(settles({"web-1", "web-2", "web-3"}));
  EXPECT_EQ(controller_->find("web-3")->id, untouched) << "max_unavailable is 1";
  EXPECT_EQ(std::ranges::count(event_types(), "deployment.rolled_back"), 1);
  const auto events = store_->events({}).value();
  const auto told = std::ranges::find(events, "deployment.rolled_back", &Event::type);
  ASSERT_NE(told, events.end());
  EXPECT_NE(told->data.at("reason").find("web-"), std::string::npos) << told->data.at("reason");
  EXPECT_EQ(deployments_->roll_back("web").error().code, ErrorCode::kConflict)
      << "what failed is nothing to go back to";
}

// The lowest numbers were of the newer revision, the highest still of the one that was gone back to.
TEST_F(DeploymentsTest, AScaleDownUponARollbackKeepsWhatServesUntilTheLowerOneDoes) {
  ASSERT_TRUE(deployments_->add("web", "", config_, 3));
  ASSERT_TRUE(settles({"web-1", "web-2", "web-3"}));
  const auto serving = controller_->find("web-2")->id;
  driver_.hold(DriverCall::kStart);
  ASSERT_TRUE(deployments_->update("web", {std::nullopt, R"({"rootfs_path":"/","memory_mb":128})", std::nullopt}));
  ASSERT_TRUE(driver_.await_held(DriverCall::kStart));
  driver_.fail_next(DriverCall::kStart, Error{ErrorCode::kIo, 5, "start", {}}, 1'000'000);
  EXPECT_TRUE(deployments_->roll_back("web")->deployment.rolling);
  ASSERT_TRUE(deployments_->scale("web", 1));
  ASSERT_TRUE(eventually([&] { return !controller_->find("web-3"); }));
  const int before = driver_.count(DriverCall::kStart);
  driver_.release(DriverCall::kStart);
  ASSERT_TRUE(eventually([&] { return driver_.count(DriverCall::kStart) >= before + 2; })) << "web-1 is tried again";
  ASSERT_TRUE(controller_->find("web-2"));
  EXPECT_EQ(controller_->find("web-2")->id, serving);
  EXPECT_EQ(state_of("web-2"), State::kRunning);
  EXPECT_TRUE(deployments_->find("web")->deployment.rolling);
  driver_.heal();
  EXPECT_TRUE(settles({"web-1"}));
  EXPECT_TRUE(eventually([&] { return !deployments_->find("web")->deployment.rolling; }));
  EXPECT_EQ(controller_->find("web-1")->spec.resources.memory_mib, 64U);
}

// As long as what it went back to is not ready either: it is made, but its check fails.
TEST_F(DeploymentsTest, TheReasonOfARollbackIsOfTheRevisionThatFailed) {
  HealthMonitor monitor(*controller_, *feed_, clock_);
  driver_.set_exec_answer("", 1);
  const std::string checked = R"({"rootfs_path":"/","memory_mb":64,"health_check":{"probe":"exec","command":["/c"],)"
                              R"("interval_ms":20,"retries":1000}})";
  ASSERT_TRUE(deployments_->add("web", "", checked, 1));
  ASSERT_TRUE(settles({"web-1"}));
  driver_.fail_next(DriverCall::kStart, Error{ErrorCode::kIo, 5, "of the new one", {}},
                    Deployments::kFailuresToRollBack);
  ASSERT_TRUE(deployments_->update("web", {std::nullopt, R"({"rootfs_path":"/","memory_mb":128})", std::nullopt}));
  ASSERT_TRUE(eventually([&] { return std::ranges::count(event_types(), "deployment.rolled_back") == 1; }));
  const auto events = store_->events({}).value();
  const auto reason = std::ranges::find(events, "deployment.rolled_back", &Event::type)->data.at("reason");
  EXPECT_NE(reason.find("of the new one"), std::string::npos) << reason;
  ASSERT_TRUE(settles({"web-1"}));
  const auto back = deployments_->find("web").value();
  EXPECT_TRUE(back.deployment.rolling) << "what it went back to is not ready";
  EXPECT_EQ(back.reason, "the last update was taken back: " + reason);
  driver_.set_exec_answer("", 0);
  EXPECT_TRUE(eventually([&] { return !deployments_->find("web")->deployment.rolling; }));
  EXPECT_EQ(deployments_->find("web")->reason, "");
}

// What it went back to has run before, and there is nothing else to run.
TEST_F(DeploymentsTest, ARollbackIsNotTakenBack) {
  ASSERT_TRUE(deployments_->add("web", "", config_, 1));
  ASSERT_TRUE(settles({"web-1"}));
  ASSERT_TRUE(deployments_->update("web", {std::nullopt, R"({"rootfs_path":"/","memory_mb":128})", std::nullopt}));
  ASSERT_TRUE(eventually([&] { return !deployments_->find("web")->deployment.rolling; }));
  const int before = driver_.count(DriverCall::kStart);
  driver_.fail_next(DriverCall::kStart, Error{ErrorCode::kIo, 5, "start", {}}, Deployments::kFailuresToRollBack);
  ASSERT_TRUE(deployments_->roll_back("web"));
  ASSERT_TRUE(eventually([&] { return driver_.count(DriverCall::kStart) > before + 3; }));
  ASSERT_TRUE(eventually([&] { return !deployments_->find("web")->deployment.rolling; }));
  EXPECT_EQ(deployments_->find("web")->deployment.config_json, config_);
  EXPECT_EQ(std::ranges::count(event_types(), "deployment.rolled_back"), 1) << "by hand";
}

// They were on their way when it came: nothing is known against the new revision yet.
TEST_F(DeploymentsTest, CreationsOfTheOldRevisionThatFailDoNotTakeAnUpdateBack) {
  const std::string newer = R"({"rootfs_path":"/","memory_mb":128})";
  driver_.hold(DriverCall::kStart);
  ASSERT_TRUE(deployments_->add("web", "", config_, Deployments::kFailuresToRollBack, 3));
  ASSERT_TRUE(eventually([&] { return driver_.count(DriverCall::kStart) == Deployments::kFailuresToRollBack; }));
  driver_.fail_next(DriverCall::kStart, Error{ErrorCode::kIo, 5, "start", {}}, Deployments::kFailuresToRollBack);
  ASSERT_TRUE(deployments_->update("web", {std::nullopt, newer, std::nullopt})->deployment.rolling);
  driver_.release(DriverCall::kStart);
  EXPECT_TRUE(eventually([&] { return !deployments_->find("web")->deployment.rolling; }));
  EXPECT_EQ(deployments_->find("web")->deployment.config_json, newer);
  EXPECT_EQ(std::ranges::count(event_types(), "deployment.rolled_back"), 0);
}

TEST_F(DeploymentsTest, SaysWhyReplicasAreMissing) {
  driver_.fail_next(DriverCall::kStart, Error{ErrorCode::kIo, 5, "no such program", {}}, 1000);
  ASSERT_TRUE(deployments_->add("web", "", config_, 1));
  EXPECT_TRUE(eventually([&] { return deployments_->find("web")->reason.starts_with("web-1: "); }));
  EXPECT_NE(deployments_->find("web")->reason.find("no such program"), std::string::npos);
  driver_.fail_next(DriverCall::kStart, Error{ErrorCode::kIo, 5, "", {}}, 0);
  EXPECT_TRUE(settles({"web-1"}));
  EXPECT_EQ(deployments_->find("web")->reason, "") << "all are ready";
}

TEST_F(DeploymentsTest, GoesOnAfterTheDaemonWasReplaced) {
  ASSERT_TRUE(deployments_->add("web", "", config_, 2));
  ASSERT_TRUE(settles({"web-1", "web-2"}));
  deployments_.reset();
  driver_.end_run(controller_->find("web-1")->id, 9);
  restart();
  EXPECT_TRUE(settles({"web-1", "web-2"}));
}

// What has just been read for a change is not stored again after it was removed.
TEST_F(DeploymentsTest, AChangeDoesNotBringBackWhatIsRemoved) {
  for (int round = 0; round < 50; ++round) {
    ASSERT_TRUE(deployments_->add("web", "", config_, 0));
    std::thread changer([&] {
      for (std::uint32_t most = 1; most < 1000; ++most) {
        Deployments::Change change;
        change.max_unavailable = most;
        if (!deployments_->update("web", change)) return;
      }
    });
    EXPECT_TRUE(deployments_->remove("web"));
    changer.join();
    ASSERT_FALSE(deployments_->find("web")) << "in round " << round;
  }
}

// On a clock that stands until it is moved.
class BackoffTest : public DeploymentsTest {
 protected:
  Clock& clock() override { return time_; }
  void open() override { deployments_ = Deployments::create(*store_, *controller_, *feed_, time_).value(); }
  // The reconciler has looked at what is there now: it removes what belongs to nobody at the end of a look.
  void look() {
    // Of a name of its own: one that cannot be found any more may still be going.
    const std::string name = cat("orphan-", ++looks_);
    auto orphan = spec(name);
    orphan.deployment = "none";
    const auto made = submit(CreateCommand{orphan, false});
    ASSERT_TRUE(made) << made.error().message();
    // The event of its creation comes before it can be seen.
    ASSERT_TRUE(store_->append_events({{0, "test.look", name, {}, {}}}));
    ASSERT_TRUE(eventually([&] { return !controller_->find(name); }));
  }
  void pass(Duration by) {
    time_.advance(by);
    look();
  }
  void end_replica() {
    driver_.end_run(controller_->find("web-1").value().id, 1);
    ASSERT_TRUE(eventually([&] { return !controller_->find("web-1"); }));
  }
  // How long until there is another one, in steps of the clock. It may be faster than the reconciler: one step more.
  Duration time_to_replace(Duration step) {
    Duration passed{0};
    for (; !controller_->find("web-1"); passed += step) pass(step);
    EXPECT_TRUE(eventually([&] { return state_of("web-1") == State::kRunning; }));
    look();
    return passed;
  }
  ManualClock time_;
  int looks_ = 0;
};

TEST_F(BackoffTest, IsForgottenWhenTheReplicaHasHeldLongEnough) {
  constexpr auto kLong = std::chrono::seconds(8);  // half a second, doubled four times
  ASSERT_TRUE(deployments_->add("web", "", config_, 1));
  ASSERT_TRUE(settles({"web-1"}));
  for (int i = 0; i < 4; ++i) {
    end_replica();
    time_to_replace(kLong);
  }
  pass(Deployments::kSteadyAfter - std::chrono::seconds(1));
  end_replica();
  EXPECT_GE(time_to_replace(kLong / 4), kLong) << "a second too early";
  pass(Deployments::kSteadyAfter);
  end_replica();
  EXPECT_LT(time_to_replace(kLong / 8), kLong) << "as if it had never failed";
}

TEST_F(BackoffTest, IsForgottenForAChangeOfItsOwnDeploymentAlone) {
  constexpr auto kLong = std::chrono::seconds(8);
  ASSERT_TRUE(deployments_->add("web", "", config_, 1));
  ASSERT_TRUE(deployments_->add("other", "", config_, 0));
  ASSERT_TRUE(settles({"web-1"}));
  for (int i = 0; i < 5; ++i) {
    end_replica();
    time_to_replace(kLong);
  }
  ASSERT_TRUE(deployments_->scale("other", 0));
  end_replica();
  EXPECT_GE(time_to_replace(kLong / 4), kLong);
  ASSERT_TRUE(deployments_->scale("web", 1));
  end_replica();
  EXPECT_LT(time_to_replace(kLong / 8), kLong);
}

TEST_F(BackoffTest, ALowerNumberThatDoesNotComeKeepsAHigherOneForALimitedTime) {
  ASSERT_TRUE(deployments_->add("web", "", config_, 2));
  ASSERT_TRUE(settles({"web-1", "web-2"}));
  driver_.fail_next(DriverCall::kStart, Error{ErrorCode::kIo, 5, "start", {}}, 1'000'000);
  end_replica();
  ASSERT_TRUE(deployments_->scale("web", 1));
  look();
  pass(Deployments::kSurplusPatience - std::chrono::seconds(1));
  ASSERT_EQ(state_of("web-2"), State::kRunning);
  pass(std::chrono::seconds(1));
  EXPECT_TRUE(eventually([&] { return !controller_->find("web-2"); }));
  driver_.heal();
  EXPECT_TRUE(eventually([&] {
    pass(std::chrono::minutes(5));
    return running() == std::set<std::string>{"web-1"};
  }));
}

// A reconciler that has read the goal and is held up before it acts.
class HeldUpTest : public BackoffTest {
 protected:
  std::unique_ptr<Store> open_store() override {
    auto made = std::make_unique<testing::FaultyStore>(Store::open(dir_ / "skerry.db").value());
    faults_ = made.get();
    return made;
  }
  // It has read that two more are wanted, which are to be made now: they failed, and their back-off is over.
  void hold_before_creation() {
    ASSERT_TRUE(deployments_->add("web", "", config_, 1));
    ASSERT_TRUE(settles({"web-1"}));
    driver_.fail_next(DriverCall::kStart, Error{ErrorCode::kIo, 5, "start", {}}, 1'000'000);
    ASSERT_TRUE(deployments_->scale("web", 3));
    ASSERT_TRUE(eventually([&] { return driver_.count(DriverCall::kStart) >= 3; }));
    ASSERT_TRUE(settles({"web-1"}));
    look();
    faults_->hold_next_reader();
    ASSERT_TRUE(store_->append_events({{0, "test.look", "web", {}, {}}}));
    ASSERT_TRUE(faults_->await_held());
    // What it had begun before.
    ASSERT_TRUE(settles({"web-1"}));
    driver_.heal();
    starts_ = driver_.count(DriverCall::kStart);
    time_.advance(std::chrono::seconds(1));
  }
  // Until all that it began has come to its end.
  void go_on() {
    faults_->let_go();
    look();
    deployments_.reset();
  }
  testing::FaultyStore* faults_ = nullptr;
  int starts_ = 0;  // when it was held up
};

TEST_F(HeldUpTest, MakesNoReplicaThatAScaleDownHasTakenAway) {
  ASSERT_NO_FATAL_FAILURE(hold_before_creation());
  ASSERT_TRUE(deployments_->scale("web", 1));
  go_on();
  EXPECT_EQ(driver_.count(DriverCall::kStart), starts_);
  EXPECT_EQ(running(), std::set<std::string>{"web-1"});
}

TEST_F(HeldUpTest, MakesNoReplicaOfARevisionThatIsNotWantedAnyMore) {
  ASSERT_NO_FATAL_FAILURE(hold_before_creation());
  Deployments::Change change;
  change.config_json = R"({"rootfs_path":"/","memory_mb":128})";
  change.max_unavailable = 3;
  ASSERT_TRUE(deployments_->update("web", change));
  faults_->let_go();
  EXPECT_TRUE(eventually([&] { return !deployments_->find("web")->deployment.rolling; }));
  EXPECT_EQ(driver_.count(DriverCall::kStart), starts_ + 3) << "each of the three once";
}

class ServicesTest : public DeploymentsTest {
 protected:
  static ServiceSpec web() { return {"", {{"", 80, 8080, Protocol::kTcp}}}; }
  std::set<std::string> served() {
    std::set<std::string> ips;
    for (const auto& service : network_.services()) {
      for (const auto& each : service.replicas) ips.insert(each.ip);
    }
    return ips;
  }
  std::string ip_of(const std::string& name) {
    const auto found = controller_->find(name);
    return found ? found->ip : "";
  }
};

TEST_F(ServicesTest, FollowTheReplicas) {
  const auto added = deployments_->add("web", "", config_, 3, 1, web());
  ASSERT_TRUE(added) << added.error().message();
  EXPECT_EQ(added->deployment.service->address, "192.168.127.2");
  ASSERT_TRUE(settles({"web-1", "web-2", "web-3"}));
  const std::set<std::string> all{ip_of("web-1"), ip_of("web-2"), ip_of("web-3")};
  EXPECT_TRUE(eventually([&] { return served() == all; }));
  const auto paused = ip_of("web-2");
  ASSERT_TRUE(ask("web-2", Verb::kPause));
  EXPECT_TRUE(eventually([&] { return served().size() == 2 && !served().contains(paused); }));
  ASSERT_TRUE(ask("web-2", Verb::kResume));
  EXPECT_TRUE(eventually([&] { return served() == all; }));
  ASSERT_TRUE(deployments_->scale("web", 1));
  EXPECT_TRUE(eventually([&] { return served() == std::set{ip_of("web-1")}; }));
  restart();
  EXPECT_TRUE(eventually([&] { return served() == std::set{ip_of("web-1")}; }));
  ASSERT_TRUE(deployments_->remove("web"));
  EXPECT_TRUE(network_.services().empty());
}

TEST_F(ServicesTest, AReplicaLeavesBeforeItIsStopped) {
  ASSERT_TRUE(deployments_->add("web", "", config_, 2, 1, web()));
  ASSERT_TRUE(settles({"web-1", "web-2"}));
  ASSERT_TRUE(eventually([&] { return served().size() == 2; }));
  const auto leaving = ip_of("web-2");
  driver_.hold(DriverCall::kStop);
  ASSERT_TRUE(deployments_->scale("web", 1));
  ASSERT_TRUE(driver_.await_held(DriverCall::kStop));
  EXPECT_EQ(served(), std::set{ip_of("web-1")});
  EXPECT_NE(leaving, ip_of("web-1"));
  driver_.release(DriverCall::kStop);
  EXPECT_TRUE(settles({"web-1"}));
}

TEST_F(ServicesTest, OnlyHealthyReplicasServe) {
  HealthMonitor monitor(*controller_, *feed_, clock_);
  driver_.set_exec_answer("", 1);
  const std::string checked = R"({"rootfs_path":"/","memory_mb":64,"health_check":{"probe":"exec","command":["/c"],)"
                              R"("interval_ms":20,"retries":1000}})";
  ASSERT_TRUE(deployments_->add("web", "", checked, 2, 1, web()));
  ASSERT_TRUE(settles({"web-1", "web-2"}));
  EXPECT_TRUE(served().empty());
  driver_.set_exec_answer("", 0);
  EXPECT_TRUE(eventually([&] { return served().size() == 2; }));
}

TEST_F(ServicesTest, AreChangedWithoutReplacingReplicas) {
  ASSERT_TRUE(deployments_->add("web", "", config_, 1));
  ASSERT_TRUE(settles({"web-1"}));
  const auto id = controller_->find("web-1")->id;
  Deployments::Change change;
  change.service = web();
  EXPECT_EQ(deployments_->update("web", change)->deployment.service->address, "192.168.127.2");
  change.service = ServiceSpec{"", {{"", 81, 81, Protocol::kUdp}}};
  EXPECT_EQ(deployments_->update("web", change)->deployment.service->address, "192.168.127.2")
      << "it keeps its address";
  EXPECT_EQ(network_.services()[0].spec.ports[0].host_port, 81);
  change.service = ServiceSpec{"10.0.0.1", web().ports};
  EXPECT_EQ(deployments_->update("web", change)->deployment.service->address, "10.0.0.1");
  change.service.emplace(std::nullopt);
  EXPECT_FALSE(deployments_->update("web", change)->deployment.service);
  EXPECT_TRUE(network_.services().empty());
  EXPECT_EQ(controller_->find("web-1")->id, id);
}

TEST_F(ServicesTest, AnAddressHasOneOwner) {
  ASSERT_TRUE(deployments_->add("one", "", config_, 0, 1, web()));
  EXPECT_EQ(deployments_->add("two", "", config_, 0, 1, web())->deployment.service->address, "192.168.127.3");
  const ServiceSpec taken{"192.168.127.3", web().ports};
  EXPECT_EQ(deployments_->add("three", "", config_, 0, 1, taken).error().code, ErrorCode::kAlreadyExists);
  network_.refuse_service_address("10.0.0.1");
  EXPECT_EQ(deployments_->add("three", "", config_, 0, 1, ServiceSpec{"10.0.0.1", web().ports}).error().code,
            ErrorCode::kConflict);
  EXPECT_EQ(deployments_->list()->size(), 2U) << "a refused one leaves nothing";
  ASSERT_TRUE(deployments_->remove("two"));
  EXPECT_TRUE(deployments_->add("three", "", config_, 0, 1, taken));
}

TEST_F(DeploymentsTest, RefusesWhatCannotBeDeployed) {
  EXPECT_EQ(deployments_->add("Bad_Name", "", config_, 1).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(deployments_->add("web", "", "{", 1).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(deployments_->add("web", "", R"({"rootfs_path":"/","nonsense":1})", 1).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(deployments_->add("web", "", R"({"rootfs_path":"/","ports":["80:80"]})", 2).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(deployments_->add("web", "", config_, 100'000).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(deployments_->scale("web", 1).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(deployments_->add("web", "", config_, 1));
  EXPECT_EQ(deployments_->add("web", "", config_, 1).error().code, ErrorCode::kAlreadyExists);
}

// Crashes, deletions by hand, scaling, failing starts and daemon deaths in random order: it always ends at N. Which
// numbers they have depends on which failed when: a running replica is not replaced for the sake of its number.
TEST_F(DeploymentsTest, ConvergesWhateverHappens) {
  std::mt19937 random(3);
  std::uint32_t wanted = 2;
  ASSERT_TRUE(deployments_->add("web", "", config_, wanted));
  for (int i = 0; i < 60; ++i) {
    const auto all = controller_->environments();
    switch (random() % 5) {
      case 0:
        wanted = static_cast<std::uint32_t>(random() % 5);
        ASSERT_TRUE(deployments_->scale("web", wanted));
        break;
      case 1:
        if (!all.empty()) driver_.end_run(all[random() % all.size()].id, 1);
        break;
      case 2:
        if (!all.empty()) static_cast<void>(ask(all[random() % all.size()].spec.name, Verb::kForceDelete));
        break;
      case 3: driver_.fail_next(DriverCall::kStart, Error{ErrorCode::kIo, 5, "start", {}}); break;
      default:
        if (i % 10 == 0) restart();
    }
  }
  ASSERT_TRUE(deployments_->scale("web", 3));
  EXPECT_TRUE(eventually([&] {
    return running().size() == 3 && controller_->environments().size() == 3 && store_->leases()->size() == 3;
  }));
}

TEST_F(DeploymentsTest, HealthFollowsTheProbe) {
  HealthMonitor monitor(*controller_, *feed_, clock_);
  driver_.set_exec_answer("", 0);
  EnvironmentSpec checked = spec("checked");
  checked.health_check = HealthCheck{HealthCheck::Probe::kExec, "", {"/bin/check"}, 20, 1000, 2};
  ASSERT_TRUE(run(checked));
  EXPECT_TRUE(eventually([&] { return controller_->find("checked")->status.health == Health::kHealthy; }));
  driver_.set_exec_answer("", 1);
  EXPECT_TRUE(eventually([&] { return controller_->find("checked")->status.health == Health::kUnhealthy; }));
  driver_.set_exec_answer("", 0);
  EXPECT_TRUE(eventually([&] { return controller_->find("checked")->status.health == Health::kHealthy; }));
  EXPECT_GE(std::ranges::count(event_types(), "container.unhealthy"), 1);
}

TEST_F(DeploymentsTest, AProbeThatHangsHasFailed) {
  driver_.hang_execs();
  {
    HealthMonitor monitor(*controller_, *feed_, clock_);
    EnvironmentSpec checked = spec("checked");
    checked.health_check = HealthCheck{HealthCheck::Probe::kExec, "", {"/bin/hangs"}, 20, 100, 2};
    ASSERT_TRUE(run(checked));
    EXPECT_TRUE(eventually([&] { return controller_->find("checked")->status.health == Health::kUnhealthy; }));
    EXPECT_NE(controller_->find("checked")->status.reason.find("no answer in time"), std::string::npos);
    driver_.set_exec_answer("", 0);
    EXPECT_TRUE(eventually([&] { return controller_->find("checked")->status.health == Health::kHealthy; }));
    driver_.hang_execs();
  }  // and does not hold up the end of the monitor
  EXPECT_TRUE(driver_.hung_up_on());
}

}  // namespace
}  // namespace skerry
