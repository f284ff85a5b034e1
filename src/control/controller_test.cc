// The controller over the real store and a fake driver: what it promises, also when things fail or the daemon dies.
#include "control/controller.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>

#include "base/file_io.h"
#include "control/controller_parts.h"
#include "core/net.h"
#include "core/plan.h"
#include "testing/controller_fixture.h"
#include "testing/faulty_store.h"

namespace skerry {
namespace {

using testing::ControllerTest;
using testing::DriverCall;

TEST_F(ControllerTest, CreatesStartsStopsAndDeletes) {
  const auto made = run(spec("web"));
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(made->status.state, State::kRunning);
  EXPECT_EQ(made->ip, "192.168.127.100");
  EXPECT_GT(made->status.pid, 0);
  EXPECT_EQ(ask("web", Verb::kStop)->status.state, State::kStopped);
  EXPECT_EQ(ask("web", Verb::kStart)->status.state, State::kRunning);
  EXPECT_EQ(ask("web", Verb::kPause)->status.state, State::kPaused);
  EXPECT_EQ(ask("web", Verb::kResume)->status.state, State::kRunning);
  EXPECT_EQ(ask("web", Verb::kRestart)->status.state, State::kRunning);
  ASSERT_TRUE(ask("web", Verb::kForceDelete));
  EXPECT_EQ(controller_->find("web").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->leases()->size(), 0U);
  EXPECT_EQ(event_types(),
            (std::vector<std::string>{"container.created", "lease.taken", "container.started", "container.stopped",
                                      "container.started", "container.paused", "container.resumed", "container.stopped",
                                      "container.started", "container.deleted", "lease.released"}));
  EXPECT_FALSE(sys::exists(dir_ / ("state/environments/" + made->id)));
}

TEST_F(ControllerTest, AFailedFirstStartLeavesNothing) {
  driver_.fail_next(DriverCall::kStart, Error{ErrorCode::kCommandNotFound, 0, "no such command: nginxx", {}});
  const auto made = run(spec("web"));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::kCommandNotFound);
  EXPECT_TRUE(controller_->environments().empty());
  EXPECT_TRUE(store_->environments()->empty());
  EXPECT_TRUE(store_->leases()->empty());
  EXPECT_TRUE(sys::list_directory(dir_ / "state/environments")->empty());
  EXPECT_TRUE(sys::list_directory(dir_ / "run/environments")->empty());
}

TEST_F(ControllerTest, ThoseWhoWaitForAnEndAreBounded) {
  const auto made = run(spec("web"));
  ASSERT_TRUE(made);
  std::atomic<int> told = 0;
  std::atomic<int> refused = 0;
  constexpr int kMany = 10'000;
  for (int i = 0; i < kMany; ++i) {
    controller_->wait_exit("web", [&](const Result<Environment>& last) { ++(last ? told : refused); });
  }
  EXPECT_GT(refused, 0);
  EXPECT_EQ(told, 0);
  const int waiting = kMany - refused;
  ASSERT_TRUE(ask("web", Verb::kStop));
  EXPECT_TRUE(eventually([&] { return told == waiting; }));
  EXPECT_TRUE(wait_exit("web")) << "there is room again";
}

// Its ports were opened before the driver was asked.
TEST_F(ControllerTest, AFailedStartLeavesNoPortOpen) {
  EnvironmentSpec web = spec("web");
  web.ports.push_back(parse_published_port("47111:80").value());
  ASSERT_TRUE(run(web));
  ASSERT_TRUE(ask("web", Verb::kStop));
  driver_.fail_next(DriverCall::kStart, Error{ErrorCode::kIo, 0, "broken", {}});
  ASSERT_FALSE(ask("web", Verb::kStart));
  ASSERT_EQ(network_.applied().size(), 1U);
  EXPECT_EQ(network_.applied().front().status.state, State::kFailed);
}

TEST_F(ControllerTest, WithoutFirewallNothingStarts) {
  network_.fail_next_apply(Error{ErrorCode::kIo, 0, "nft", {}});
  EXPECT_FALSE(run(spec("web")));
  EXPECT_EQ(driver_.count(DriverCall::kStart), 0);
}

TEST_F(ControllerTest, RefusalsNameTheCauseAndStoreNothing) {
  ASSERT_TRUE(run(spec("a")));
  EXPECT_EQ(run(spec("a")).error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(run(spec("Not_A_Name")).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(ask("a", Verb::kDelete).error().code, ErrorCode::kConflict);
  EXPECT_EQ(ask("nobody", Verb::kStop).error().code, ErrorCode::kNotFound);
  EnvironmentSpec vm = spec("vm");
  vm.isolation = Isolation::kMicrovm;
  EXPECT_EQ(run(vm).error().code, ErrorCode::kUnsupported);
  EnvironmentSpec unknown = spec("unknown");
  unknown.rootfs_path.clear();
  unknown.image = "localhost/no/such:image";
  EXPECT_EQ(run(unknown).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(controller_->environments().size(), 1U);
}

// A plugin that may not be used is refused before anything of it is there, also one that was used before.
TEST_F(ControllerTest, APluginIsCheckedBeforeEveryStart) {
  std::string refused = "never";
  controller_.reset();
  check_plugin_ = [&](const std::string& manifest) -> Status {
    if (manifest.find(refused) == std::string::npos) return {};
    return fail(ErrorCode::kRefused, "its signature is not that of a trusted key");
  };
  restart_daemon();
  // An empty archive is one: two blocks of zeros.
  ASSERT_TRUE(write_file_atomic(dir_ / "root.tar", std::string(1024, '\0'), 0600));
  const auto image =
      images_->import_rootfs(dir_ / "root.tar", ImageReference::parse("localhost/base:1").value(), {}, {});
  ASSERT_TRUE(image) << image.error().message();
  const Plugin plugin{"p", "1", "", R"({"name":"p","version":"1","image":"localhost/base:1"})", true, {}};
  ASSERT_TRUE(store_->install_plugin(plugin, {}));
  EnvironmentSpec wanted;
  wanted.name = "a";
  wanted.plugin = "p";
  wanted.command = {"/x"};
  const auto first = run(wanted);
  ASSERT_TRUE(first) << first.error().message();
  ASSERT_TRUE(ask("a", Verb::kStop));
  refused = R"("name":"p")";
  const auto again = ask("a", Verb::kStart);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kRefused);
  EXPECT_EQ(state_of("a"), State::kFailed);
  wanted.name = "b";
  EXPECT_EQ(run(wanted).error().code, ErrorCode::kRefused);
  EXPECT_EQ(controller_->find("b").error().code, ErrorCode::kNotFound);
}

TEST_F(ControllerTest, StartTimesAreCounted) {
  EXPECT_EQ(controller_->start_times().at(Isolation::kContainer).count, 0U);
  ASSERT_TRUE(run(spec("a")));
  ASSERT_TRUE(ask("a", Verb::kRestart));
  const auto times = controller_->start_times();
  EXPECT_EQ(times.at(Isolation::kContainer).count, 2U);
  EXPECT_EQ(times.at(Isolation::kContainer).at_most.back(), 2U);
  EXPECT_GT(times.at(Isolation::kContainer).sum_seconds, 0.0);
  EXPECT_EQ(times.at(Isolation::kMicrovm).count, 0U);
}

TEST_F(ControllerTest, AddressesRunOutAndComeBack) {
  ASSERT_TRUE(run(spec("a")));
  ASSERT_TRUE(run(spec("b")));
  ASSERT_TRUE(run(spec("c")));
  const auto full = run(spec("d"));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::kResourceExhausted);
  ASSERT_TRUE(ask("b", Verb::kForceDelete));
  EXPECT_EQ(run(spec("d"))->ip, "192.168.127.101");
}

TEST_F(ControllerTest, TheSamePublishedPortIsRefusedWhileTheFirstLives) {
  EnvironmentSpec a = spec("a");
  a.ports = {{"", 8080, 80, Protocol::kTcp}};
  EnvironmentSpec b = spec("b");
  b.ports = {{"127.0.0.1", 8080, 81, Protocol::kTcp}};
  ASSERT_TRUE(run(a));
  const auto refused = run(b);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  EXPECT_NE(refused.error().message().find("\"a\""), std::string::npos);
  ASSERT_TRUE(ask("a", Verb::kStop));
  EXPECT_TRUE(run(b));
}

TEST_F(ControllerTest, EndsAreRecordedAsTheyWere) {
  const auto good = run(spec("good"));
  const auto bad = run(spec("bad"));
  driver_.end_run(good->id, 0);
  driver_.end_run(bad->id, 137, "out of memory");
  EXPECT_EQ(wait_exit("good")->status.state, State::kStopped);
  const auto ended = wait_exit("bad");
  EXPECT_EQ(ended->status.state, State::kFailed);
  EXPECT_EQ(ended->status.exit_code, 137);
  EXPECT_EQ(ended->status.reason, "out of memory");
  EXPECT_TRUE(std::ranges::count(event_types(), "container.crashed") == 1);
  EXPECT_EQ(driver_.phase(bad->id), Phase::kAbsent);
}

TEST_F(ControllerTest, RemovesOnExitWhenAsked) {
  EnvironmentSpec once = spec("once");
  once.auto_remove = true;
  const auto made = run(once);
  EXPECT_EQ(wait_exit("once", [&] { driver_.end_run(made->id, 3); })->status.exit_code, 3);
  EXPECT_TRUE(eventually([&] { return controller_->environments().empty(); }));
}

TEST_F(ControllerTest, LimitsOfARunChangeAtOnceOrNotAtAll) {
  const auto made = run(spec("web"));
  VerbCommand update;
  update.name = "web";
  update.verb = Verb::kUpdate;
  update.resources = made->spec.resources;
  update.resources.memory_mib = 99;
  const auto changed = submit(update);
  ASSERT_TRUE(changed) << changed.error().message();
  EXPECT_EQ(changed->spec.resources.memory_mib, 99U);
  EXPECT_EQ(driver_.calls(made->id).back(), "limit 99");
  driver_.fail_next(DriverCall::kLimit, Error{ErrorCode::kConflict, 0, "it uses more", {}});
  update.resources.memory_mib = 7;
  EXPECT_FALSE(submit(update));
  EXPECT_EQ(controller_->find("web")->spec.resources.memory_mib, 99U);
  EXPECT_EQ(driver_.calls(made->id).back(), "limit 99") << "what was set before the refusal is taken back";
  EXPECT_EQ(std::ranges::count(event_types(), "container.updated"), 1);
}

// Any driver removes the run directory of an unknown environment: the record of its devices must not go with it.
TEST_F(ControllerTest, RemainsAreRemovedButNotTheRecordOfDevices) {
  const std::string id = "00000000deadbeef";
  const auto run = cat(dir_ / "run/environments/", id);
  ASSERT_TRUE(sys::mkdir_all(run, 0700));
  ASSERT_TRUE(write_file_atomic(run + "/host-devices", "broken\n", 0600));
  restart_daemon();
  EXPECT_FALSE(sys::exists(run));
  EXPECT_EQ(read_file(cat(dir_ / "run/host-devices/", id)).value(), "broken\n");
}

// Who waits for the end does not wait for what the kernel and the disk take to forget it.
TEST_F(ControllerTest, ItIsGoneBeforeItsRemainsAre) {
  EnvironmentSpec once = spec("once");
  once.auto_remove = true;
  const auto made = run(once);
  driver_.hold(DriverCall::kDestroy);
  EXPECT_EQ(wait_exit("once", [&] { driver_.end_run(made->id, 3); })->status.exit_code, 3);
  EXPECT_TRUE(controller_->environments().empty());
  EXPECT_FALSE(controller_->settle(std::chrono::milliseconds(1)));
  const auto again = run(once);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_NE(again->ip, made->ip) << "something of the first may still answer there";
  driver_.release(DriverCall::kDestroy);
  EXPECT_TRUE(controller_->settle(std::chrono::seconds(10)));
  EXPECT_EQ(driver_.phase(made->id), Phase::kAbsent);
  EXPECT_EQ(store_->leases()->size(), 1U);
}

TEST_F(ControllerTest, RestartsByPolicyUpToItsLimit) {
  EnvironmentSpec flaky = spec("flaky");
  flaky.restart.mode = RestartMode::kOnFailure;
  flaky.restart.max = 3;
  const auto made = run(flaky);
  for (int i = 1; i <= 3; ++i) {
    driver_.end_run(made->id, 1);
    ASSERT_TRUE(eventually([&] { return driver_.launches(made->id).size() == static_cast<std::size_t>(i) + 1; }));
    ASSERT_TRUE(eventually([&] { return state_of("flaky") == State::kRunning; }));
  }
  driver_.end_run(made->id, 1);
  EXPECT_EQ(wait_exit("flaky")->status.state, State::kFailed);
  EXPECT_EQ(driver_.launches(made->id).size(), 4U);
}

// Between two runs there is no process: stop must end the waiting.
TEST_F(ControllerTest, ARestartLoopCanBeStopped) {
  for (const Verb verb : {Verb::kStop, Verb::kKill}) {
    EnvironmentSpec loop = spec(verb == Verb::kStop ? "stopped" : "killed");
    loop.restart.mode = RestartMode::kAlways;
    loop.restart.backoff_ms = kMaxBackoffMs;
    const auto made = run(loop);
    driver_.end_run(made->id, 1);
    ASSERT_TRUE(eventually([&] { return restart_due(*controller_->find(loop.name)); }));
    EXPECT_FALSE(ask(loop.name, Verb::kPause));
    const auto ended = ask(loop.name, verb);
    ASSERT_TRUE(ended) << ended.error().message();
    EXPECT_EQ(ended->status.goal, Goal::kStopped);
    EXPECT_FALSE(restart_due(*ended));
    EXPECT_EQ(driver_.launches(made->id).size(), 1U);
    EXPECT_EQ(wait_exit(loop.name)->status.exit_code, 1);
  }
}

TEST_F(ControllerTest, StoppingTwiceAndStartingTwiceIsNoError) {
  const auto made = run(spec("web"));
  EXPECT_EQ(ask("web", Verb::kStart)->status.state, State::kRunning);
  EXPECT_EQ(driver_.launches(made->id).size(), 1U);
  EXPECT_TRUE(ask("web", Verb::kStop));
  EXPECT_EQ(ask("web", Verb::kStop)->status.state, State::kStopped);
}

TEST_F(ControllerTest, AStopOutlivesTheRestartPolicy) {
  EnvironmentSpec service = spec("service");
  service.restart.mode = RestartMode::kAlways;
  const auto made = run(service);
  ASSERT_TRUE(ask("service", Verb::kStop));
  restart_daemon();
  EXPECT_EQ(state_of("service"), State::kStopped);
  EXPECT_EQ(driver_.launches(made->id).size(), 1U);
}

TEST_F(ControllerTest, ANewDaemonAdoptsWhatRuns) {
  const auto made = run(spec("web"));
  restart_daemon();
  const auto adopted = controller_->find("web");
  ASSERT_TRUE(adopted);
  EXPECT_EQ(adopted->status.state, State::kRunning);
  EXPECT_EQ(adopted->status.pid, made->status.pid);
  EXPECT_EQ(adopted->status.started_at, made->status.started_at);
  EXPECT_EQ(driver_.launches(made->id).size(), 1U);
  driver_.end_run(made->id, 0);
  EXPECT_EQ(wait_exit("web")->status.state, State::kStopped);
}

TEST_F(ControllerTest, ARunThatEndedWithoutADaemonIsRecorded) {
  const auto made = run(spec("web"));
  controller_.reset();
  driver_.end_run(made->id, 7);
  restart_daemon();
  EXPECT_EQ(wait_exit("web")->status.exit_code, 7);
}

TEST_F(ControllerTest, AStartThatWasCutShortIsTriedAgain) {
  ASSERT_TRUE(submit(CreateCommand{spec("web"), false}));
  driver_.cut_next_start_short();
  static_cast<void>(ask("web", Verb::kStart));
  // As the dying daemon left it: stored as starting.
  auto stored = store_->environments()->front();
  stored.status.state = State::kStarting;
  stored.status.goal = Goal::kRunning;
  controller_.reset();
  ASSERT_TRUE(store_->update_environment(stored, {}));
  restart_daemon();
  EXPECT_TRUE(eventually([&] { return state_of("web") == State::kRunning; }));
  EXPECT_EQ(driver_.phase(stored.id), Phase::kRunning);
}

TEST_F(ControllerTest, ADriverIsToldOnceOfARunOfAnotherDaemon) {
  ASSERT_TRUE(run(spec("web")));
  ASSERT_TRUE(run(spec("still")));
  ASSERT_TRUE(ask("still", Verb::kPause));
  EXPECT_EQ(driver_.count(DriverCall::kAdopt), 0) << "its own are none";
  restart_daemon();
  EXPECT_TRUE(eventually([&] { return driver_.count(DriverCall::kAdopt) == 1; }));
  ASSERT_TRUE(ask("still", Verb::kResume));
  EXPECT_EQ(driver_.count(DriverCall::kAdopt), 2) << "one that was paused, when it runs";
  ASSERT_TRUE(ask("web", Verb::kRestart));
  ASSERT_TRUE(ask("web", Verb::kPause));
  EXPECT_EQ(driver_.count(DriverCall::kAdopt), 2);
}

TEST_F(ControllerTest, ARunThatCannotBeTakenOverCanBeStopped) {
  ASSERT_TRUE(run(spec("web")));
  driver_.fail_next(DriverCall::kAdopt, {ErrorCode::kDeadlineExceeded, 0, "it does not listen", ""}, 1000);
  restart_daemon();
  EXPECT_TRUE(eventually([&] { return driver_.count(DriverCall::kAdopt) > 0; }));
  EXPECT_EQ(state_of("web"), State::kRunning);
  EXPECT_TRUE(ask("web", Verb::kStop));
  EXPECT_TRUE(ask("web", Verb::kForceDelete));
}

TEST_F(ControllerTest, AfterARebootThePolicyDecides) {
  EnvironmentSpec always = spec("always");
  always.restart.mode = RestartMode::kAlways;
  ASSERT_TRUE(run(always));
  ASSERT_TRUE(run(spec("never")));
  controller_.reset();
  driver_.reboot();
  restart_daemon();
  EXPECT_TRUE(eventually([&] { return state_of("always") == State::kRunning; }));
  EXPECT_TRUE(eventually([&] { return state_of("never") == State::kFailed; }));
}

TEST_F(ControllerTest, LeftoversOfUnknownEnvironmentsAreRemoved) {
  controller_.reset();
  ASSERT_TRUE(sys::mkdir_all(dir_ / "state/environments/00000000deadbeef/upper", 0700));
  ASSERT_TRUE(sys::mkdir_all(dir_ / "run/environments/00000000deadbeef", 0700));
  restart_daemon();
  EXPECT_TRUE(sys::list_directory(dir_ / "state/environments")->empty());
  EXPECT_TRUE(sys::list_directory(dir_ / "run/environments")->empty());
}

TEST_F(ControllerTest, AFailedDeletionIsFinishedByTheNextDaemon) {
  ASSERT_TRUE(run(spec("web")));
  driver_.fail_next(DriverCall::kDestroy, Error{ErrorCode::kIo, 5, "umount", {}});
  EXPECT_FALSE(ask("web", Verb::kForceDelete));
  EXPECT_EQ(state_of("web"), State::kDeleting);
  restart_daemon();
  // No longer listed a moment before it is no longer stored.
  EXPECT_TRUE(eventually([&] { return controller_->environments().empty() && store_->leases()->empty(); }));
}

class MovedClockTest : public ControllerTest {
 protected:
  Clock& clock() override { return time_; }
  void advance(Duration by) {
    time_.advance(by);
    static_cast<LiveController&>(*controller_).look_at_clock();
  }
  ManualClock time_;
};

// Its end would be heard of by nobody.
TEST_F(MovedClockTest, ARunThatCannotBeWatchedIsLookedAtAgain) {
  driver_.fail_next(DriverCall::kWatch, Error{ErrorCode::kIo, 24, "pidfd_open", {}}, 100);
  const auto web = run(spec("web"));
  ASSERT_TRUE(web) << web.error().message();
  driver_.end_run(web->id, 1);
  EXPECT_TRUE(eventually([&] {
    advance(std::chrono::seconds(5));
    return state_of("web") == State::kFailed;
  }));
}

class FullDiskTest : public MovedClockTest {
 protected:
  std::unique_ptr<Store> open_store() override {
    auto made = std::make_unique<testing::FaultyStore>(ControllerTest::open_store());
    faulty_ = made.get();
    return made;
  }
  testing::FaultyStore* faulty_ = nullptr;
};

// The driver forgets how it ended with its remains: these stay until it is stored.
TEST_F(FullDiskTest, AnEndThatCannotBeStoredIsToldWhenThereIsRoom) {
  const auto web = run(spec("web"));
  ASSERT_TRUE(web) << web.error().message();
  const int looks = driver_.count(DriverCall::kObserve);
  faulty_->kill();
  driver_.end_run(web->id, 7);
  EXPECT_TRUE(eventually([&] { return driver_.count(DriverCall::kObserve) > looks; }));
  faulty_->revive();
  EXPECT_TRUE(eventually([&] {
    advance(std::chrono::seconds(5));
    return driver_.phase(web->id) == Phase::kAbsent;
  }));
  const auto ended = controller_->find("web");
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status.state, State::kFailed);
  EXPECT_EQ(ended->status.exit_code, 7);
}

// Whatever a daemon had done of the end of a run when it was killed, the next one tells it as it was, and once.
class KilledAtAnEndTest : public FullDiskTest {
 protected:
  // `end` lets the run end. The daemon dies when it is about to remove its remains, or has just removed them.
  template <typename End>
  void die_at_the_end(DriverCall call, End end) {
    driver_.hold(call);
    end();
    ASSERT_TRUE(driver_.await_held(call));
    faulty_->kill();
    driver_.release(call);
    restart_daemon();
  }
  std::int64_t told(const std::string& event) { return std::ranges::count(event_types(), event); }
};

TEST_F(KilledAtAnEndTest, TheExitCodeIsKnown) {
  const auto web = run(spec("web"));
  die_at_the_end(DriverCall::kCollect, [&] { driver_.end_run(web->id, 7, "out of memory"); });
  const auto ended = wait_exit("web");
  EXPECT_EQ(ended->status.state, State::kFailed);
  EXPECT_EQ(ended->status.exit_code, 7);
  EXPECT_EQ(ended->status.reason, "out of memory");
  EXPECT_EQ(told("container.crashed"), 1);
  EXPECT_EQ(driver_.phase(web->id), Phase::kAbsent);
}

TEST_F(KilledAtAnEndTest, TheRestartPolicyGoesOn) {
  EnvironmentSpec flaky = spec("flaky");
  flaky.restart.mode = RestartMode::kOnFailure;
  const auto made = run(flaky);
  die_at_the_end(DriverCall::kCollect, [&] { driver_.end_run(made->id, 1); });
  EXPECT_TRUE(eventually([&] {
    advance(std::chrono::milliseconds(1));
    return state_of("flaky") == State::kRunning;
  }));
  EXPECT_EQ(controller_->find("flaky")->status.restarts, 1U);
  EXPECT_EQ(driver_.launches(made->id).size(), 2U);
  EXPECT_EQ(told("container.crashed"), 1);
}

TEST_F(KilledAtAnEndTest, ARestartIsFinished) {
  const auto made = run(spec("web"));
  die_at_the_end(DriverCall::kCollect, [&] {
    VerbCommand restart;
    restart.name = "web";
    restart.verb = Verb::kRestart;
    controller_->submit(restart, [](const Result<Environment>&) {});
  });
  EXPECT_TRUE(eventually([&] { return state_of("web") == State::kRunning; }));
  EXPECT_EQ(driver_.launches(made->id).size(), 2U);
  EXPECT_EQ(told("container.stopped"), 1);
}

// Its end is told already: it must not be taken for that of the run that is asked for.
TEST_F(ControllerTest, WhatIsLeftOfTheLastRunDoesNotEndTheNextOne) {
  for (const Verb verb : {Verb::kStart, Verb::kRestart}) {
    const auto made = run(spec(verb == Verb::kStart ? "started" : "restarted"));
    const std::string& name = made->spec.name;
    driver_.fail_next(DriverCall::kCollect, Error{ErrorCode::kIo, 16, "umount", {}});
    driver_.end_run(made->id, 7);
    ASSERT_TRUE(eventually([&] { return state_of(name) == State::kFailed; }));
    EXPECT_EQ(driver_.phase(made->id), Phase::kExited);
    const auto again = ask(name, verb);
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(again->status.state, State::kRunning);
    EXPECT_EQ(driver_.launches(made->id).size(), 2U);
  }
  EXPECT_EQ(std::ranges::count(event_types(), "container.crashed"), 2);
}

// The first of them are forgotten while the last are still to be woken.
TEST_F(ControllerTest, ManyFailedDeletionsAreFinishedByTheNextDaemon) {
  constexpr int kMany = 60;
  pool_last_ = "192.168.127.200";
  restart_daemon();
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < kMany; ++i) ASSERT_TRUE(run(spec(cat("e", i))));
    driver_.fail_next(DriverCall::kDestroy, Error{ErrorCode::kIo, 5, "umount", {}}, kMany);
    for (int i = 0; i < kMany; ++i) EXPECT_FALSE(ask(cat("e", i), Verb::kForceDelete));
    restart_daemon();
    EXPECT_TRUE(eventually([&] { return controller_->environments().empty() && store_->leases()->empty(); }));
  }
}

// Many clients, random commands, runs that end by themselves: it converges, and the driver's contract is kept.
TEST_F(ControllerTest, RandomCommandsFromManyThreadsConverge) {
  const std::vector<std::string> names{"a", "b", "c"};
  constexpr unsigned kClients = 4;
  std::vector<std::thread> clients;
  clients.reserve(kClients);
  for (unsigned seed = 0; seed < kClients; ++seed) {
    clients.emplace_back([&, seed] {
      std::mt19937 random(seed);
      for (int i = 0; i < 200; ++i) {
        const auto& name = names[random() % names.size()];
        const auto roll = random() % 8;
        if (roll < 2) {
          static_cast<void>(run(spec(name)));
        } else if (roll == 2) {
          if (const auto found = controller_->find(name); found)
            driver_.end_run(found->id, static_cast<int>(random() % 2));
        } else {
          static_cast<void>(ask(name, kAllVerbs[random() % kAllVerbs.size()]));
        }
      }
    });
  }
  for (auto& client : clients) client.join();
  for (const auto& name : names) static_cast<void>(ask(name, Verb::kForceDelete));
  EXPECT_TRUE(eventually([&] { return controller_->environments().empty() && store_->leases()->empty(); }));
  EXPECT_TRUE(sys::list_directory(dir_ / "state/environments")->empty());
}

}  // namespace
}  // namespace skerry
