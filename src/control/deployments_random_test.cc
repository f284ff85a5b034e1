// Deployments at random: the real reconciler, controller, health monitor and store over a fake driver, on a clock that
// stands until it leaps. Whatever is done, to whom and when, it comes to what is wanted once nobody disturbs it.
//
//   SKERRY_TEST_STEPS   how many random acts: kSteps, which take half a minute, or more (100000: two to three minutes)
//   SKERRY_TEST_SEED    of the acts; told at a failure. Threads run as they like: a seed repeats what is done and to
//                       what, not between which steps of the daemon
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "base/file_io.h"
#include "base/log.h"
#include "base/text.h"
#include "control/controller_parts.h"
#include "control/deployments.h"
#include "control/health.h"
#include "core/plan.h"
#include "testing/controller_fixture.h"
#include "testing/faulty_store.h"

namespace skerry {
namespace {

using testing::DriverCall;

#if defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kSteps = 1000;
#elif defined(__SANITIZE_ADDRESS__)
constexpr std::uint64_t kSteps = 3000;
#else
constexpr std::uint64_t kSteps = 6000;
#endif
constexpr std::uint64_t kStepsBetweenCalms = 200;
constexpr std::uint64_t kKeptEvents = 100;
constexpr std::uint32_t kMostReplicas = 5;
constexpr auto kLongest = std::chrono::hours(72);

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : parse_int<std::uint64_t>(text, name).value();
}

struct Revision {
  std::string plugin;
  std::string version;
  std::string config;
  auto operator<=>(const Revision&) const = default;
};
Revision revision_of(const Deployment& deployment) {
  return {deployment.plugin, deployment.plugin_version, deployment.config_json};
}

// What a deployment is to come to.
struct Wish {
  std::uint32_t replicas = 0;
  std::uint32_t max_unavailable = 1;
  bool service = false;
  std::set<Revision> may;  // run in the end: what was asked for, or what a failed update was taken back to
};

// How many starts of one replica the back-off permits in this time after its end.
int permitted_starts(Duration time) {
  int starts = 0;
  for (Duration next{0};; ++starts) {
    next += restart_delay({RestartMode::kAlways, 0, 500}, static_cast<std::uint32_t>(starts));
    if (next > time) return starts;
  }
}

class RandomDeploymentsTest : public testing::ControllerTest {
 protected:
  // In memory: nothing here is about disks.
  RandomDeploymentsTest() : ControllerTest("/dev/shm") {}
  void SetUp() override {
    log::configure(log::Level::kError, log::Format::kText);
    pool_last_ = "192.168.127.200";
    ControllerTest::SetUp();
    open();
    ASSERT_TRUE(write_file_atomic(dir_ / "root.tar", std::string(1024, '\0'), 0600));
    const auto name = ImageReference::parse("localhost/base:1").value();
    ASSERT_TRUE(images_->import_rootfs(dir_ / "root.tar", name, {}, {}));
    for (const auto* version : {"1", "2"}) install(version);
  }
  void TearDown() override {
    close();
    ControllerTest::TearDown();
    log::configure(log::Level::kInfo, log::Format::kText);
  }
  Clock& clock() override { return time_; }
  std::unique_ptr<Store> open_store() override {
    auto made = std::make_unique<testing::FaultyStore>(Store::open(dir_ / "skerry.db").value());
    faults_ = made.get();
    return made;
  }
  void open() {
    under_way_ = std::make_shared<std::atomic<int>>(0);
    deployments_ = Deployments::create(*store_, *controller_, *feed_, time_).value();
    health_ = std::make_unique<HealthMonitor>(*controller_, *feed_, time_);
  }
  void close() {
    health_.reset();
    deployments_.reset();
  }

  // ── chance ──
  std::uint32_t below(std::uint32_t end) { return static_cast<std::uint32_t>(random_() % end); }
  template <typename Values>
  auto& one_of(Values& values) {
    return *std::next(values.begin(), below(static_cast<std::uint32_t>(values.size())));
  }
  // A millisecond as often as days.
  Duration some_time() {
    Duration time = std::chrono::milliseconds(1 + below(10));
    for (auto doublings = below(25); doublings > 0; --doublings) time *= 2;
    return std::min<Duration>(time, kLongest);
  }
  std::string some_config(const std::string& name) {
    const auto memory = cat(R"({"memory_mb":)", 64 + below(3));
    if (name == "plug") return memory + "}";
    if (name != "sick") return memory + R"(,"rootfs_path":"/"})";
    return memory + R"(,"rootfs_path":"/","health_check":{"probe":"exec","command":["/c"],"interval_ms":1000,)"
                    R"("retries":2}})";
  }
  std::optional<std::string> some_plugin(const std::string& name) {
    if (name != "plug") return std::nullopt;
    static constexpr std::array kChoice{"p@1", "p@2", "p"};
    return one_of(kChoice);
  }
  std::optional<ServiceSpec> some_service() {
    if (below(2) == 0) return std::nullopt;
    return ServiceSpec{"", {{"", 80, 8080, Protocol::kTcp}}};
  }

  // ── acts ──
  void install(const std::string& version) {
    const auto manifest =
        cat(R"({"name":"p","version":")", version, R"(","image":"localhost/base:1","workload":{"entrypoint":["/x"]}})");
    // It may be there.
    static_cast<void>(store_->install_plugin({"p", version, "", manifest, true, {}}, {plugin_event()}));
  }
  static Event plugin_event() { return {0, "plugin.changed", "p", {}, {}}; }
  // Refusals are for reasons that there are here: its plugin is away, it has nothing to go back to.
  static void expect_reason(const Error& error) {
    const bool known = error.code == ErrorCode::kNotFound || error.code == ErrorCode::kConflict;
    EXPECT_TRUE(known) << error.message();
  }
  void create() {
    const auto& name = one_of(kNames);
    if (wishes_.contains(name)) return;
    Wish wish;
    wish.replicas = below(kMostReplicas + 1);
    wish.max_unavailable = 1 + below(3);
    const auto service = some_service();
    wish.service = service.has_value();
    const auto added = deployments_->add(name, some_plugin(name).value_or(""), some_config(name), wish.replicas,
                                         wish.max_unavailable, service);
    if (!added) return expect_reason(added.error());
    wish.may = {revision_of(added->deployment)};
    wishes_[name] = wish;
  }
  void update() {
    if (wishes_.empty()) return;
    auto& [name, wish] = one_of(wishes_);
    Deployments::Change change;
    const auto what = 1 + below(31);
    if (what & 1U) change.config_json = some_config(name);
    if (what & 2U) change.plugin = some_plugin(name);
    if (what & 4U) change.max_unavailable = 1 + below(3);
    if (what & 8U) change.replicas = below(kMostReplicas + 1);
    if (what & 16U) change.service = some_service();
    const auto updated = deployments_->update(name, change);
    if (!updated) return expect_reason(updated.error());
    wish.may.insert(revision_of(updated->deployment));
    wish.max_unavailable = change.max_unavailable.value_or(wish.max_unavailable);
    wish.replicas = change.replicas.value_or(wish.replicas);
    if (change.service) wish.service = change.service->has_value();
  }
  void scale() {
    if (wishes_.empty()) return;
    auto& [name, wish] = one_of(wishes_);
    scale_to(name, wish, below(kMostReplicas + 1));
  }
  void scale_to(const std::string& name, Wish& wish, std::uint32_t replicas) {
    const auto scaled = deployments_->scale(name, replicas);
    if (!scaled) return expect_reason(scaled.error());
    wish.replicas = replicas;
  }
  void roll_back() {
    if (wishes_.empty()) return;
    auto& [name, wish] = one_of(wishes_);
    const auto back = deployments_->roll_back(name);
    if (!back) return expect_reason(back.error());
    wish.may.insert(revision_of(back->deployment));
  }
  void remove() {
    if (wishes_.empty() || below(3) != 0) return;
    const auto name = one_of(wishes_).first;
    const auto removed = deployments_->remove(name);
    ASSERT_TRUE(removed) << removed.error().message();
    wishes_.erase(name);
  }
  void ask_for(const std::string& name, Verb verb) {
    VerbCommand command;
    command.name = name;
    command.verb = verb;
    ++*under_way_;
    // What a daemon that ends has not begun is never answered.
    controller_->submit(std::move(command), [count = under_way_](const Result<Environment>&) { --*count; });
  }
  void meddle() {
    static constexpr std::array kVerbs{Verb::kForceDelete, Verb::kForceDelete, Verb::kDelete, Verb::kStop,
                                       Verb::kStart,       Verb::kRestart,     Verb::kPause,  Verb::kResume,
                                       Verb::kSuspend,     Verb::kKill,        Verb::kResume};
    const auto all = controller_->views();
    if (!all.empty()) ask_for(one_of(all)->spec.name, one_of(kVerbs));
  }
  void crash() {
    const auto all = controller_->views();
    if (all.empty()) return;
    const auto& id = one_of(all)->id;
    if (below(8) == 0) return driver_.break_run(id);
    driver_.end_run(id, below(4) == 0 ? std::nullopt : std::optional(static_cast<int>(below(3))));
  }
  void sicken() {
    if (below(4) == 0) return driver_.set_exec_answer("", static_cast<int>(below(2)));
    const auto all = controller_->views();
    if (all.empty()) return;
    const auto& one = one_of(all);
    controller_->report_health(one->id, one->status.incarnation, below(3) == 0 ? Health::kHealthy : Health::kUnhealthy,
                               "test");
  }
  void fail_driver() {
    static constexpr std::array kCalls{DriverCall::kStart,   DriverCall::kStart, DriverCall::kStop,
                                       DriverCall::kCollect, DriverCall::kWatch, DriverCall::kDestroy,
                                       DriverCall::kObserve, DriverCall::kAdopt, DriverCall::kPause};
    switch (below(6)) {
      case 0: return driver_.cut_next_start_short();
      case 1: return driver_.end_next_run_with(static_cast<int>(below(2)));
      default: driver_.fail_next(one_of(kCalls), Error{ErrorCode::kIo, 5, "test", {}}, 1 + static_cast<int>(below(8)));
    }
  }
  void change_plugins() {
    const std::string version = cat(1 + below(2));
    const PluginRef plugin{"p", version};
    switch (below(4)) {
      case 0: static_cast<void>(store_->remove_plugin(plugin, {plugin_event()}, PluginUsers::kLeaveBehind)); break;
      case 1: static_cast<void>(store_->set_plugin_enabled(plugin, below(2) == 0, {plugin_event()})); break;
      default: install(version);
    }
  }
  void lose_or_tell_news() { below(2) == 0 ? faults_->lose_news() : faults_->tell_news(); }
  void leap_some() { leap(some_time()); }
  void leap(Duration by) {
    time_.advance(by);
    // Of threads that wait in the kernel's time.
    faults_->wake();
    static_cast<LiveController&>(*controller_).look_at_clock();
  }
  void restart() {
    if (below(10) != 0) return;
    if (below(2) == 0) kill_daemon();
    close();
    controller_.reset();
    driver_.reconnect();
    if (below(8) == 0) driver_.reboot();
    restart_daemon();
    open();
  }
  // Whatever it was about to do, it does not do any more: neither on the host nor in the store.
  void kill_daemon() {
    if (below(2) == 0) driver_.cut_off();
    faults_->kill();
    driver_.cut_off();
  }
  // The threads get their turn.
  void breathe() {
    for (auto turns = below(200); turns > 0; --turns) std::this_thread::yield();
  }
  void act() {
    using Act = void (RandomDeploymentsTest::*)();
    static constexpr std::array<Act, 22> kActs{
        &RandomDeploymentsTest::create,         &RandomDeploymentsTest::create,
        &RandomDeploymentsTest::update,         &RandomDeploymentsTest::update,
        &RandomDeploymentsTest::scale,          &RandomDeploymentsTest::scale,
        &RandomDeploymentsTest::roll_back,      &RandomDeploymentsTest::remove,
        &RandomDeploymentsTest::meddle,         &RandomDeploymentsTest::meddle,
        &RandomDeploymentsTest::crash,          &RandomDeploymentsTest::crash,
        &RandomDeploymentsTest::sicken,         &RandomDeploymentsTest::fail_driver,
        &RandomDeploymentsTest::change_plugins, &RandomDeploymentsTest::lose_or_tell_news,
        &RandomDeploymentsTest::leap_some,      &RandomDeploymentsTest::leap_some,
        &RandomDeploymentsTest::leap_some,      &RandomDeploymentsTest::restart,
        &RandomDeploymentsTest::breathe,        &RandomDeploymentsTest::breathe};
    (this->*one_of(kActs))();
  }

  // ── what must be so in the end ──
  // What is not yet as it is to be; empty: nothing.
  std::string trouble() {
    if (const int count = *under_way_; count != 0) return cat(count, " commands are under way");
    const auto all = controller_->views();
    std::set<std::string> ids;
    std::set<std::string> ips;
    std::set<std::string> served;
    for (const auto& each : all) {
      const auto& owner = each->spec.deployment;
      if (!wishes_.contains(owner)) return cat(each->spec.name, " is an orphan");
      if (each->status.state != State::kRunning) return cat(each->spec.name, " is ", to_text(each->status.state));
      if (driver_.phase(each->id) != Phase::kRunning) return cat(each->spec.name, " does not run");
      ids.insert(each->id);
      ips.insert(each->ip);
      if (wishes_.at(owner).service) served.insert(each->ip);
    }
    const auto deployments = deployments_->list().value();
    for (const auto& each : deployments) {
      if (auto why = trouble_of(each, all); !why.empty()) return cat(each.deployment.name, ": ", why);
    }
    if (deployments.size() != wishes_.size()) return "there are more or fewer deployments than wanted";
    return trouble_of_host(ids, ips, served);
  }
  std::string trouble_of(const DeploymentStatus& status, const EnvironmentViews& all) {
    const auto& deployment = status.deployment;
    const auto found = wishes_.find(deployment.name);
    if (found == wishes_.end()) return "was removed";
    const Wish& wish = found->second;
    if (deployment.replicas != wish.replicas) return cat(deployment.replicas, " wanted, not ", wish.replicas);
    if (deployment.rolling) return "its update goes on";
    if (!wish.may.contains(revision_of(deployment))) return cat("has a foreign revision ", deployment.config_json);
    if (status.current != wish.replicas || status.ready != wish.replicas) {
      return cat(status.ready, " ready and ", status.current, " there of ", wish.replicas, ": ", status.reason);
    }
    std::set<std::uint32_t> numbers;
    for (const auto& each : all) {
      if (each->spec.deployment != deployment.name) continue;
      const auto number = replica_number(deployment.name, each->spec.name);
      if (number == 0 || number > wish.replicas) return cat(each->spec.name, " is not one of ", wish.replicas);
      if (!numbers.insert(number).second) return cat(each->spec.name, " is there twice");
      if (each->spec.plugin_version != deployment.plugin_version) return cat(each->spec.name, " is of another version");
      const auto memory = cat(R"("memory_mb":)", each->spec.resources.memory_mib);
      if (deployment.config_json.find(memory) == std::string::npos) return cat(each->spec.name, " is out of date");
    }
    return {};
  }
  std::string trouble_of_host(const std::set<std::string>& ids, const std::set<std::string>& ips,
                              const std::set<std::string>& served) {
    if (driver_.runs() != ids) return "the driver has other runs";
    std::set<std::string> leased;
    const auto leases = store_->leases().value();
    for (const auto& lease : leases) leased.insert(lease.ip);
    if (leased != ips) return cat(leased.size(), " addresses are leased by ", ips.size());
    std::set<std::string> stored;
    const auto environments = store_->environments().value();
    for (const auto& each : environments) stored.insert(each.id);
    if (stored != ids) return "others are stored than are there";
    for (const auto* where : {"state", "run"}) {
      const auto names = sys::list_directory(cat(dir_ / where, "/environments")).value();
      if (std::set(names.begin(), names.end()) != ids) return cat("directories in ", where);
    }
    std::set<std::string> reached;
    const auto services = network_.services();
    for (const auto& service : services) {
      for (const auto& each : service.replicas) reached.insert(each.ip);
    }
    return reached == served ? "" : cat("services reach ", reached.size(), " of ", served.size());
  }
  void end_disturbance() {
    driver_.heal();
    faults_->tell_news();
    for (const auto* version : {"1", "2"}) {
      install(version);
      static_cast<void>(store_->set_plugin_enabled({"p", version}, true, {plugin_event()}));
    }
  }
  // Nobody but us would: they are as somebody wanted them.
  void thaw() {
    for (const auto& each : controller_->views()) {
      const auto state = each->status.state;
      if (state == State::kPaused || state == State::kSuspended) ask_for(each->spec.name, Verb::kResume);
    }
  }
  // Commands go through after what was queued before them: nothing is on its way any more.
  void flush() {
    for (const auto& each : controller_->views()) ask_for(each->spec.name, Verb::kExec);
    EXPECT_TRUE(eventually([&] { return *under_way_ == 0; }));
  }
  // Time goes on until all is as it is to be. `look` is called in between.
  template <typename Look>
  bool settles(Look look) {
    const auto until = std::chrono::steady_clock::now() + testing::kDeadline;
    for (Duration step = std::chrono::milliseconds(10);; step = std::min<Duration>(step * 2, std::chrono::minutes(6))) {
      thaw();
      for (int turn = 0; turn < 100; ++turn) {
        look();
        if (trouble().empty()) return true;
        std::this_thread::yield();
      }
      if (std::chrono::steady_clock::now() > until) return false;
      leap(step);
    }
  }
  void calm_down() {
    end_disturbance();
    for (int round = 0; round < 2; ++round) {
      ASSERT_TRUE(settles([] {})) << trouble();
      flush();
    }
    const auto all = deployments_->list().value();
    for (const auto& status : all) {
      auto& wish = wishes_.at(status.deployment.name);
      wish.may = {revision_of(status.deployment)};
    }
    ASSERT_EQ(driver_.violations(), std::vector<std::string>{});
    ASSERT_TRUE(store_->prune_events(kKeptEvents));
  }

  // ── what must be so all the time, seen where nothing else goes on ──
  // And a scale-down at once upon it takes away none that is needed meanwhile.
  void update_in_calm() {
    auto& [name, wish] = one_of(wishes_);
    Deployments::Change change;
    change.config_json = some_config(name);
    const auto updated = deployments_->update(name, change);
    ASSERT_TRUE(updated) << updated.error().message();
    wish.may = {revision_of(updated->deployment)};
    if (below(2) == 0) scale_to(name, wish, below(wish.replicas + 1));
    std::uint32_t least = wish.replicas;
    const auto count = [&, &deployment = name] {
      std::uint32_t ready = 0;
      for (const auto& each : controller_->views()) {
        const bool well = !each->spec.health_check || each->status.health == Health::kHealthy;
        ready += each->spec.deployment == deployment && each->status.state == State::kRunning && well ? 1 : 0;
      }
      least = std::min(least, ready);
    };
    ASSERT_TRUE(settles(count)) << trouble();
    EXPECT_GE(least + wish.max_unavailable, wish.replicas) << name;
  }
  void fail_starts_in_calm() {
    const auto all = controller_->views();
    if (all.empty()) return;
    const auto& victim = one_of(all);
    const int before = driver_.count(DriverCall::kStart);
    driver_.fail_next(DriverCall::kStart, Error{ErrorCode::kIo, 5, "test", {}}, 1'000'000);
    driver_.end_run(victim->id, 1);
    Duration passed{0};
    for (int i = 0; i < 8; ++i) {
      const Duration time = std::chrono::milliseconds(100 << below(12));
      leap(time);
      passed += time;
      for (int turn = 0; turn < 200; ++turn) {
        ASSERT_LE(driver_.count(DriverCall::kStart) - before, permitted_starts(passed)) << "in " << passed.count();
        std::this_thread::yield();
      }
    }
    const int then = driver_.count(DriverCall::kStart);
    EXPECT_TRUE(eventually([&] {
      leap(std::chrono::minutes(5));
      return driver_.count(DriverCall::kStart) > then;
    })) << "it is tried again";
    driver_.heal();
    ASSERT_TRUE(settles([] {})) << trouble();
  }
  // Creations of the revision before that fail do not count. As they occupy all workers, or all numbers, one of the
  // failures is theirs, and fewer are left for the new revision than take it back.
  void update_over_failures_in_calm() {
    auto& [name, wish] = one_of(wishes_);
    if (wish.replicas == 0) return;
    const int before = driver_.count(DriverCall::kStart);
    const auto most = static_cast<int>(std::min(wish.replicas, testing::kWorkers));
    driver_.hold(DriverCall::kStart);
    for (const auto& each : controller_->views()) {
      if (each->spec.deployment == name) driver_.end_run(each->id, 1);
    }
    EXPECT_TRUE(eventually([&] {
      leap(std::chrono::minutes(5));
      return driver_.count(DriverCall::kStart) - before == most;
    }));
    driver_.fail_next(DriverCall::kStart, Error{ErrorCode::kIo, 5, "test", {}}, Deployments::kFailuresToRollBack);
    Deployments::Change change;
    change.config_json = some_config(name);
    const auto updated = deployments_->update(name, change);
    driver_.release(DriverCall::kStart);
    ASSERT_TRUE(updated) << updated.error().message();
    wish.may = {revision_of(updated->deployment)};
    ASSERT_TRUE(settles([] {})) << trouble();
    driver_.heal();
  }
  void scale_down_in_calm() {
    auto& [name, wish] = one_of(wishes_);
    std::map<std::string, std::string> expected;
    const auto left = below(wish.replicas + 1);
    for (std::uint32_t number = 1; number <= left; ++number) {
      const auto found = controller_->find(replica_name(name, number));
      ASSERT_TRUE(found) << found.error().message();
      expected[found->spec.name] = found->id;
    }
    scale_to(name, wish, left);
    ASSERT_TRUE(settles([] {})) << trouble();
    for (const auto& [replica, id] : expected) EXPECT_EQ(controller_->find(replica)->id, id) << "the highest go";
  }
  void check_in_calm() {
    calm_down();
    if (HasFatalFailure() || wishes_.empty()) return;
    switch (below(7)) {
      case 0: return fail_starts_in_calm();
      case 1: return scale_down_in_calm();
      case 2: return update_in_calm();
      case 3: return update_over_failures_in_calm();
      default: return;
    }
  }

  const std::array<std::string, 4> kNames{"web", "web-1", "sick", "plug"};
  ManualClock time_;
  std::mt19937_64 random_;
  std::map<std::string, Wish> wishes_;
  std::shared_ptr<std::atomic<int>> under_way_;  // commands of this daemon's life
  testing::FaultyStore* faults_ = nullptr;
  std::unique_ptr<Deployments> deployments_;
  std::unique_ptr<HealthMonitor> health_;
};

TEST_F(RandomDeploymentsTest, ComeToWhatIsWanted) {
  const auto steps = setting("SKERRY_TEST_STEPS", kSteps);
  const auto seed = setting("SKERRY_TEST_SEED", 1);
  // Now, for a crash would not tell it.
  std::fprintf(stderr, "SKERRY_TEST_SEED=%s SKERRY_TEST_STEPS=%s\n", cat(seed).c_str(), cat(steps).c_str());
  random_.seed(seed);
  for (std::uint64_t step = 0; step < steps && !HasFailure(); ++step) {
    SCOPED_TRACE(cat("SKERRY_TEST_SEED=", seed, ", step ", step));
    act();
    if (below(kStepsBetweenCalms) == 0) check_in_calm();
  }
  SCOPED_TRACE(cat("SKERRY_TEST_SEED=", seed, ", at the end"));
  if (HasFailure()) return;
  calm_down();
  while (!wishes_.empty()) {
    ASSERT_TRUE(deployments_->remove(wishes_.begin()->first));
    wishes_.erase(wishes_.begin());
  }
  EXPECT_TRUE(settles([] {})) << trouble();
}

}  // namespace
}  // namespace skerry
