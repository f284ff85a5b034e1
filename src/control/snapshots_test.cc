#include "control/snapshots.h"

#include <atomic>

#include "base/file_io.h"
#include "testing/controller_fixture.h"

namespace skerry::testing {
namespace {

class SnapshotsTest : public ControllerTest {
 protected:
  void SetUp() override {
    ControllerTest::SetUp();
    open();
  }
  void open() { snapshots_ = Snapshots::create(dir_ / "snapshots", *store_, *controller_, clock_).value(); }

  // Waits for the one answer.
  template <typename T, typename Ask>
  Result<T> answer(Ask ask) {
    std::promise<Result<T>> promise;
    auto future = promise.get_future();
    ask([&](Result<T> result) { promise.set_value(std::move(result)); });
    if (future.wait_for(kDeadline) != std::future_status::ready) std::abort();
    return future.get();
  }
  Result<Snapshot> take(const std::string& environment, const std::string& name) {
    return answer<Snapshot>([&](auto done) { snapshots_->take(environment, name, done); });
  }
  Result<Environment> restore(const std::string& name) {
    return answer<Environment>([&](auto done) { snapshots_->restore(name, done); });
  }
  Result<Environment> fork(const std::string& environment, const ForkRequest& request) {
    return answer<Environment>([&](auto done) { snapshots_->fork(environment, request, done); });
  }
  Result<Environment> fork_of(const std::string& snapshot, const std::string& name) {
    return answer<Environment>([&](auto done) { snapshots_->fork_snapshot(snapshot, ForkRequest{name, {}}, done); });
  }
  [[nodiscard]] bool has_directory(const std::string& name) const { return sys::exists(dir_ / ("snapshots/" + name)); }

  std::unique_ptr<Snapshots> snapshots_;
};

TEST_F(SnapshotsTest, OneOfARunComesBackSuspendedAndGoesOn) {
  ASSERT_TRUE(run(spec("web")));
  const auto taken = take("web", "before");
  ASSERT_TRUE(taken) << taken.error().message();
  EXPECT_TRUE(taken->with_memory);
  EXPECT_GT(taken->size_bytes, 0U);
  EXPECT_EQ(state_of("web"), State::kRunning);
  EXPECT_EQ(restore("before").error().code, ErrorCode::kConflict) << "it runs";
  ASSERT_TRUE(ask("web", Verb::kStop));
  const auto restored = restore("before");
  ASSERT_TRUE(restored) << restored.error().message();
  EXPECT_EQ(restored->status.state, State::kSuspended);
  ASSERT_TRUE(ask("web", Verb::kResume));
  EXPECT_EQ(state_of("web"), State::kRunning);
  const auto types = event_types();
  EXPECT_NE(std::ranges::find(types, "snapshot.created"), types.end());
  EXPECT_NE(std::ranges::find(types, "container.restored"), types.end());
}

TEST_F(SnapshotsTest, OneOfADiskAloneComesBackStopped) {
  ASSERT_TRUE(run(spec("web")));
  ASSERT_TRUE(ask("web", Verb::kStop));
  ASSERT_FALSE(take("web", "disk")->with_memory);
  ASSERT_TRUE(run(spec("web-2")));
  EXPECT_EQ(restore("disk")->status.state, State::kStopped);
  ASSERT_TRUE(ask("web", Verb::kStart));
}

TEST_F(SnapshotsTest, NamesAreTakenOnceAndFreedByRemoval) {
  ASSERT_TRUE(run(spec("web")));
  ASSERT_TRUE(take("web", "one"));
  EXPECT_EQ(take("web", "one").error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(take("web", "../etc").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(take("nobody", "two").error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(has_directory("two"));
  ASSERT_TRUE(snapshots_->remove("one"));
  EXPECT_FALSE(has_directory("one"));
  EXPECT_EQ(snapshots_->remove("one").error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(take("web", "one"));
}

// Also the one that asks again just when the first is recorded.
TEST_F(SnapshotsTest, OfManyThatWantOneNameOneTakesItAndNobodyHarmsIt) {
  constexpr int kRounds = 30;
  constexpr int kClients = 6;
  ASSERT_TRUE(run(spec("web")));
  for (int round = 0; round < kRounds; ++round) {
    const std::string name = cat("round-", round);
    std::atomic<int> taken = 0;
    std::vector<std::thread> clients;
    clients.reserve(kClients);
    for (int i = 0; i < kClients; ++i) {
      clients.emplace_back([&] {
        auto mine = take("web", name);
        while (!mine && mine.error().code == ErrorCode::kConflict) mine = take("web", name);
        if (mine) {
          ++taken;
        } else {
          EXPECT_EQ(mine.error().code, ErrorCode::kAlreadyExists) << mine.error().message();
        }
      });
    }
    for (auto& client : clients) client.join();
    EXPECT_EQ(taken, 1);
    ASSERT_TRUE(has_directory(name)) << name;
    EXPECT_TRUE(fork_of(name, cat("fork-", round))) << name;
    ASSERT_TRUE(ask(cat("fork-", round), Verb::kForceDelete));
  }
}

TEST_F(SnapshotsTest, AFailedOneLeavesNothing) {
  ASSERT_TRUE(run(spec("web")));
  driver_.fail_next(DriverCall::kSave, {ErrorCode::kResourceExhausted, 0, "the disk is full", ""});
  EXPECT_EQ(take("web", "full").error().code, ErrorCode::kResourceExhausted);
  EXPECT_FALSE(has_directory("full"));
  EXPECT_TRUE(snapshots_->list()->empty());
}

TEST_F(SnapshotsTest, AForkIsSomebodyElse) {
  auto source = spec("web");
  source.hostname = "web.example";
  source.ports = {{"", 8080, 80, Protocol::kTcp}};
  ASSERT_TRUE(run(source));
  const auto made = fork("web", {"web-2", {}});
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(made->status.state, State::kRunning);
  EXPECT_EQ(made->spec.hostname, "");
  EXPECT_TRUE(made->spec.ports.empty());
  EXPECT_NE(made->ip, controller_->find("web")->ip);
  const auto launches = driver_.launches(made->id);
  ASSERT_EQ(launches.size(), 1U);
  EXPECT_FALSE(launches[0].saved.empty());
  EXPECT_FALSE(sys::exists(launches[0].saved)) << "used up";
  EXPECT_FALSE(has_directory(".fork-web-2"));
  // From then on it is like any other.
  ASSERT_TRUE(ask("web-2", Verb::kRestart));
  EXPECT_EQ(driver_.launches(made->id).back().saved, "");
  EXPECT_EQ(fork("web", {"web-2", {}}).error().code, ErrorCode::kAlreadyExists);
}

TEST_F(SnapshotsTest, AForkIsWhatItsSourceIsNotWhatThePluginSays) {
  ASSERT_TRUE(write_file_atomic(dir_ / "root.tar", std::string(1024, '\0'), 0600));  // an empty archive
  ASSERT_TRUE(images_->import_rootfs(dir_ / "root.tar", ImageReference::parse("localhost/base:1").value(), {}, {}));
  const std::string manifest =
      R"({"name":"p","version":"1","image":"localhost/base:1","workload":{"entrypoint":["/x"]},)"
      R"("resources":{"memory_mb":192},"network":{"ports":["8080:80"]},"restart":{"policy":"always"}})";
  ASSERT_TRUE(store_->install_plugin({"p", "1", "", manifest, true, {}}, {{0, "plugin.installed", "p", {}, {}}}));
  CreateCommand command;
  command.spec.name = "web";
  command.spec.plugin = "p";
  command.restart_wish = RestartWish::kAsked;
  command.resource_wishes.memory = true;
  const auto source = submit(command);
  ASSERT_TRUE(source) << source.error().message();
  EXPECT_EQ(source->spec.resources.memory_mib, 512U);
  const auto made = fork("web", {"web-2", {}});
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(made->spec.resources.memory_mib, 512U);
  EXPECT_EQ(made->spec.restart.mode, RestartMode::kNo);
  EXPECT_TRUE(made->spec.ports.empty()) << "they are its source's";
}

TEST_F(SnapshotsTest, AForkThatCannotStartLeavesNothing) {
  ASSERT_TRUE(run(spec("web")));
  driver_.fail_next(DriverCall::kStart, {ErrorCode::kIo, 0, "no", ""});
  EXPECT_FALSE(fork("web", {"web-2", {}}));
  EXPECT_EQ(controller_->find("web-2").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(sys::list_directory(dir_ / "state/environments")->size(), 1U);
  EXPECT_FALSE(has_directory(".fork-web-2"));
}

TEST_F(SnapshotsTest, ASnapshotOutlivesItsEnvironmentAndCanBeForked) {
  ASSERT_TRUE(run(spec("web")));
  ASSERT_TRUE(take("web", "kept"));
  ASSERT_TRUE(ask("web", Verb::kForceDelete));
  EXPECT_EQ(restore("kept").error().code, ErrorCode::kNotFound);
  const auto made =
      answer<Environment>([&](auto done) { snapshots_->fork_snapshot("kept", ForkRequest{"again", {}}, done); });
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(made->status.state, State::kRunning);
  EXPECT_TRUE(has_directory("kept")) << "it can be used again";
}

TEST_F(SnapshotsTest, WhatWasCutShortIsRemovedAtTheNextStart) {
  ASSERT_TRUE(run(spec("web")));
  ASSERT_TRUE(take("web", "whole"));
  ASSERT_TRUE(sys::mkdir_all(dir_ / "snapshots/half", 0700));
  snapshots_.reset();
  restart_daemon();
  open();
  EXPECT_FALSE(has_directory("half"));
  EXPECT_TRUE(has_directory("whole"));
  EXPECT_EQ(snapshots_->list()->size(), 1U);
}

// ── suspended on disk ──

TEST_F(SnapshotsTest, ASuspendedOneIsSeenAsSuchByTheNextDaemonAndGoesOn) {
  ASSERT_TRUE(run(spec("web")));
  ASSERT_TRUE(ask("web", Verb::kSuspend));
  EXPECT_EQ(state_of("web"), State::kSuspended);
  snapshots_.reset();
  restart_daemon();
  EXPECT_EQ(state_of("web"), State::kSuspended);
  ASSERT_TRUE(ask("web", Verb::kResume));
  EXPECT_EQ(state_of("web"), State::kRunning);
}

TEST_F(SnapshotsTest, WhatCannotBeSuspendedRunsOn) {
  ASSERT_TRUE(run(spec("web")));
  driver_.fail_next(DriverCall::kSuspend, {ErrorCode::kUnsupported, 0, "not this one", ""});
  EXPECT_EQ(ask("web", Verb::kSuspend).error().code, ErrorCode::kUnsupported);
  const auto web = controller_->find("web");
  EXPECT_EQ(web->status.state, State::kRunning);
  EXPECT_EQ(web->status.goal, Goal::kRunning);
}

TEST_F(SnapshotsTest, StoppingASuspendedOneGivesItsMemoryUp) {
  ASSERT_TRUE(run(spec("web")));
  ASSERT_TRUE(ask("web", Verb::kSuspend));
  ASSERT_TRUE(ask("web", Verb::kStop));
  EXPECT_EQ(state_of("web"), State::kStopped);
  const auto calls = driver_.calls(controller_->find("web")->id);
  EXPECT_NE(std::ranges::find(calls, "discard"), calls.end());
}

}  // namespace
}  // namespace skerry::testing
