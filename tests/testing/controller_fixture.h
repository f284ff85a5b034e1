// The fixture of control's tests: a controller over the real store, a fake driver and a fake network.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/sys_file.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "control/controller.h"
#include "control/event_feed.h"
#include "control/policy_book.h"
#include "control/zones.h"
#include "image/store.h"
#include "store/store.h"
#include "testing/fake_driver.h"
#include "testing/fake_network.h"

namespace skerry::testing {

inline constexpr auto kDeadline = std::chrono::seconds(20);
inline constexpr std::uint32_t kWorkers = 4;  // of the controller

// A host: directories, a driver and a network that outlive the daemons a test starts on it.
class ControllerTest : public ::testing::Test {
 protected:
  // Below `parent`, or where temporary files are.
  explicit ControllerTest(const std::string& parent = {}) : dir_(TempDir::create("controller", parent).value()) {}
  void SetUp() override { boot(); }
  void TearDown() override {
    controller_.reset();
    EXPECT_EQ(driver_.violations(), std::vector<std::string>{});
  }

  // What the daemons of a test run by, and where they write.
  virtual Clock& clock() { return clock_; }
  virtual std::unique_ptr<Store> open_store() { return Store::open(dir_ / "skerry.db").value(); }

  void boot() {
    store_ = open_store();
    feed_ = std::make_unique<EventFeed>(*store_);  // before anybody stores events
    images_ = ImageStore::open({dir_ / "images", {}}).value();
    ControllerConfig config;
    config.state_dir = dir_ / "state";
    config.run_dir = dir_ / "run";
    config.workers = kWorkers;
    config.check_plugin = check_plugin_;
    config.warm_pool_mib = warm_pool_mib_;
    config.spares = spares_;
    Zone zone;
    zone.pool_last = pool_last_;
    zones_ = Zones::create(zone, *store_, network_, clock()).value();
    policy_ = std::make_unique<PolicyBook>(dir_ / "policy", *store_, clock());
    auto made = Controller::create(config, {clock(), *store_, *images_, network_, *zones_, *policy_, drivers_});
    ASSERT_TRUE(made) << made.error().message();
    controller_ = std::move(*made);
    policy_->on_reload([this] { return controller_->refresh_network(); });
  }
  // The daemon dies and a new one starts. (Between steps: a killed one leaves no more than this.)
  void restart_daemon() {
    controller_.reset();
    policy_.reset();
    zones_.reset();
    feed_.reset();
    images_.reset();
    store_.reset();
    boot();
  }

  static EnvironmentSpec spec(const std::string& name) {
    EnvironmentSpec out;
    out.name = name;
    out.rootfs_path = "/";
    out.restart.backoff_ms = 1;
    return out;
  }
  Result<Environment> submit(Command command) {
    std::promise<Result<Environment>> promise;
    auto future = promise.get_future();
    controller_->submit(std::move(command), [&](Result<Environment> result) { promise.set_value(std::move(result)); });
    if (future.wait_for(kDeadline) != std::future_status::ready) std::abort();  // the promise must not outlive us
    return future.get();
  }
  Result<Environment> run(EnvironmentSpec the_spec) { return submit(CreateCommand{std::move(the_spec), true}); }
  Result<Environment> ask(const std::string& name, Verb verb) {
    VerbCommand command;
    command.name = name;
    command.verb = verb;
    return submit(command);
  }
  Result<Environment> wait_exit(const std::string& name) {
    return wait_exit(name, [] {});
  }
  // `end` is called when somebody waits already: one that is removed at its end is not found any more after it.
  template <typename End>
  Result<Environment> wait_exit(const std::string& name, End end) {
    std::promise<Result<Environment>> promise;
    auto future = promise.get_future();
    controller_->wait_exit(name, [&](Result<Environment> result) { promise.set_value(std::move(result)); });
    end();
    if (future.wait_for(kDeadline) != std::future_status::ready) std::abort();
    return future.get();
  }
  template <typename Predicate>
  bool eventually(Predicate predicate) {
    const auto until = std::chrono::steady_clock::now() + kDeadline;
    while (!predicate()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }
  State state_of(const std::string& name) {
    const auto found = controller_->find(name);
    return found ? found->status.state : State::kDeleting;
  }
  std::vector<std::string> event_types() {
    std::vector<std::string> out;
    const auto events = store_->events({}).value();
    out.reserve(events.size());
    for (const auto& event : events) out.push_back(event.type);
    return out;
  }

  PluginCheck check_plugin_;
  std::string pool_last_ = "192.168.127.102";
  SystemClock clock_;
  TempDir dir_;
  FakeDriver driver_;
  std::vector<Driver*> drivers_{&driver_};
  std::uint64_t warm_pool_mib_ = 0;
  std::size_t spares_ = 0;
  FakeNetwork network_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<ImageStore> images_;
  std::unique_ptr<EventFeed> feed_;
  std::unique_ptr<Zones> zones_;
  std::unique_ptr<PolicyBook> policy_;
  std::unique_ptr<Controller> controller_;
};

}  // namespace skerry::testing
