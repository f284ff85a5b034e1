#include "control/guest_events.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/temp_dir.h"
#include "control/event_feed.h"
#include "store/store.h"
#include "testing/controller_fixture.h"

namespace skerry {
namespace {

// One microVM that runs, whose agent has broken its channel.
class LostAgent final : public Controller {
 public:
  struct Report {
    std::string id;
    std::uint64_t incarnation = 0;
    Health health = Health::kUnknown;
    std::string reason;
  };

  LostAgent() {
    environment_.id = "00000000000000aa";
    environment_.spec.name = "guest";
    environment_.spec.isolation = Isolation::kMicrovm;
    environment_.status.state = State::kRunning;
    environment_.status.incarnation = 3;
  }
  std::vector<Report> await_reports(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(30), [&] { return reports_.size() >= count; });
    return reports_;
  }

  SharedViews views() override { return EnvironmentViews{std::make_shared<const Environment>(environment_)}; }
  Result<Fd> guest_events(const std::string&) override {
    return fail(ErrorCode::kCorrupt, "its agent is lost: malformed frame");
  }
  void report_health(const std::string& id, std::uint64_t incarnation, Health health, std::string reason) override {
    const std::lock_guard lock(mutex_);
    reports_.push_back({id, incarnation, health, std::move(reason)});
    changed_.notify_all();
  }

  void report_guest_restart(const std::string&, const GuestRestart&) override {}
  void submit(Command, Completion) override {}
  void run_attached(CreateCommand, StdioSink, Completion) override {}
  Result<Environment> find(const std::string&) override { return environment_; }
  Result<Conversation> exec(const std::string&, const ExecSpec&) override { return nothing(); }
  Result<Conversation> attach(const std::string&) override { return nothing(); }
  Result<Conversation> serial(const std::string&) override { return nothing(); }
  Result<UsageSample> stats(const std::string&) override { return nothing(); }
  void save(const std::string&, const std::string&, Completion) override {}
  void restore(const std::string&, const std::string&, Completion) override {}
  Result<std::string> log_path(const std::string&) override { return nothing(); }
  void wait_exit(const std::string&, Completion) override {}
  std::map<Isolation, Availability> capabilities() override { return {}; }
  std::vector<std::string> users_of_image(const std::string&) override { return {}; }
  bool settle(Duration) override { return true; }
  Status refresh_network() override { return {}; }
  Result<std::string> choose_service_address(const std::string&, const std::string&) override { return nothing(); }

 private:
  static std::unexpected<Error> nothing() { return fail(ErrorCode::kUnsupported, "not of this test"); }
  Environment environment_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Report> reports_;
};

TEST(GuestEvents, AnAgentThatIsLostIsToldOnceWithTheReason) {
  const TempDir directory = TempDir::create("guest-events-").value();
  const auto store = Store::open(directory / "db").value();
  EventFeed feed(*store);
  LostAgent controller;
  {
    auto events = GuestEvents::create(controller, feed);
    ASSERT_TRUE(events) << events.error().message();
    ASSERT_EQ(controller.await_reports(1).size(), 1U);
  }
  const auto reports = controller.await_reports(1);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].id, "00000000000000aa");
  EXPECT_EQ(reports[0].incarnation, 3U);
  EXPECT_EQ(reports[0].health, Health::kUnhealthy);
  EXPECT_EQ(reports[0].reason, "its agent is lost: malformed frame");
}

class GuestCrashTest : public testing::ControllerTest {
 protected:
  void SetUp() override {
    drivers_ = {&guests_driver_};
    ControllerTest::SetUp();
  }
  testing::FakeDriver guests_driver_{Isolation::kMicrovm};
};

TEST_F(GuestCrashTest, ACrashInsideIsToldAndCounted) {
  const auto events = GuestEvents::create(*controller_, *feed_);
  ASSERT_TRUE(events) << events.error().message();
  auto guest = spec("guest");
  guest.isolation = Isolation::kMicrovm;
  guest.restart.mode = RestartMode::kAlways;
  const auto started = run(guest);
  ASSERT_TRUE(started) << started.error().message();
  wire::AgentEvent crash;
  crash.type = wire::AgentEvent::Type::kWorkloadExited;
  crash.exit_code = 3;
  crash.restarts = 1;
  crash.backoff_ms = 200;
  ASSERT_TRUE(eventually([&] { return guests_driver_.tell(started->id, crash); }));
  EXPECT_TRUE(eventually([&] { return controller_->find("guest")->status.restarts == 2; }));
  const auto status = controller_->find("guest")->status;
  EXPECT_EQ(status.state, State::kRunning);
  EXPECT_EQ(status.exit_code, 3);
  EXPECT_TRUE(eventually([&] { return event_types().back() == "vm.crashed"; }));
  const auto told = store_->events({})->back();
  EXPECT_EQ(told.data.at("exit_code"), "3");
  EXPECT_NE(told.data.at("reason").find("restart 2 in a row"), std::string::npos) << told.data.at("reason");

  // One that ended well is counted and no crash; what floods is not believed.
  crash.exit_code = 0;
  crash.restarts = 2;
  ASSERT_TRUE(guests_driver_.tell(started->id, crash));
  EXPECT_TRUE(eventually([&] { return controller_->find("guest")->status.restarts == 3; }));
  crash.exit_code = 1;
  for (crash.restarts = 3; crash.restarts < 300; ++crash.restarts) ASSERT_TRUE(guests_driver_.tell(started->id, crash));
  wire::AgentEvent healthy;
  healthy.type = wire::AgentEvent::Type::kHealthy;
  ASSERT_TRUE(guests_driver_.tell(started->id, healthy));
  EXPECT_TRUE(eventually([&] { return controller_->find("guest")->status.health == Health::kHealthy; }));
  EXPECT_LE(std::ranges::count(event_types(), "vm.crashed"), 20);
  // Nor is a health that changes faster than anybody can ask for it.
  for (int i = 0; i < 300; ++i) {
    healthy.type = i % 2 == 0 ? wire::AgentEvent::Type::kHealthy : wire::AgentEvent::Type::kUnhealthy;
    ASSERT_TRUE(guests_driver_.tell(started->id, healthy));
  }
  EXPECT_TRUE(eventually([&] {
    const auto last = store_->events({})->back();
    const auto reason = last.data.find("reason");
    return reason != last.data.end() && reason->second.find("tells more") != std::string::npos;
  }));
  EXPECT_LE(std::ranges::count(event_types(), "vm.healthy"), 60);
  ASSERT_TRUE(ask("guest", Verb::kForceDelete));
}

}  // namespace
}  // namespace skerry
