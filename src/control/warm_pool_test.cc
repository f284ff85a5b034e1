#include "control/warm_pool.h"

#include <gmock/gmock.h>

#include "base/file_io.h"
#include "image/sha256.h"
#include "testing/controller_fixture.h"

namespace skerry {
namespace {

using ::testing::Contains;
using testing::ControllerTest;
using testing::DriverCall;
using testing::FakeDriver;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// The pool alone, over a driver whose machines take 1 MiB each.
class WarmPoolTest : public ::testing::Test {
 protected:
  WarmPool& open(std::uint64_t budget_mib) {
    WarmPoolPorts ports{driver_,
                        [this]() -> Result<std::vector<WarmShape>> {
                          const std::lock_guard lock(mutex_);
                          return wanted_;
                        },
                        [this](const WarmShape& shape) -> Result<Launch> {
                          Launch launch;
                          const std::string id = cat("id-", next_++);
                          launch.place = {id, id, dir_ / ("state-" + id), dir_ / ("run-" + id)};
                          launch.spec = shape.spec;
                          return launch;
                        },
                        [this] { return spare_mib_.load(); }, std::chrono::milliseconds(5)};
    pool_ = std::make_unique<WarmPool>(std::move(ports), budget_mib);
    return *pool_;
  }
  static WarmShape shape(const std::string& plugin, std::uint32_t size, WarmMode mode = WarmMode::kWarmed) {
    WarmShape out;
    out.spec.plugin = plugin;
    out.spec.isolation = Isolation::kMicrovm;
    out.wish = {mode, size};
    return out;
  }
  void want(std::vector<WarmShape> wanted) {
    const std::lock_guard lock(mutex_);
    wanted_ = std::move(wanted);
  }
  template <typename Predicate>
  static bool eventually(Predicate predicate) {
    const auto until = std::chrono::steady_clock::now() + testing::kDeadline;
    while (!predicate()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }
  bool come_to(std::size_t count) {
    return eventually([&] { return driver_.prepared().size() == count; });
  }
  WarmPoolStatus status_of(const std::string& plugin) {
    for (const auto& each : pool_->status()) {
      if (each.plugin == plugin) return each;
    }
    return {};
  }

  TempDir dir_ = TempDir::create("warm-pool").value();
  FakeDriver driver_{Isolation::kMicrovm};
  std::mutex mutex_;
  std::vector<WarmShape> wanted_;
  std::atomic<std::uint64_t> spare_mib_ = 1U << 20U;
  int next_ = 0;
  std::unique_ptr<WarmPool> pool_;
};

TEST_F(WarmPoolTest, GivesOutWhatIsOfTheShapeAndMakesAnother) {
  want({shape("a", 2), shape("b", 1, WarmMode::kParked)});
  auto& pool = open(512);
  ASSERT_TRUE(come_to(3));
  auto other = shape("a", 2).spec;
  other.resources.memory_mib += 1;
  EXPECT_FALSE(pool.take(other, "", {}));
  EXPECT_FALSE(pool.take(shape("a", 2).spec, "sha256:another", {}));
  auto with_device = shape("a", 2).spec;
  with_device.devices.addresses = {"0000:01:00.0"};
  EXPECT_FALSE(pool.take(with_device, "", {})) << "no device was given to it";
  Zone made_anew;
  made_anew.created_at.ns = 1;
  EXPECT_FALSE(pool.take(shape("a", 2).spec, "", made_anew)) << "its network card hangs on another bridge";
  const auto id = pool.take(shape("a", 2).spec, "", {});
  ASSERT_TRUE(id);
  EXPECT_THAT(driver_.calls(*id), Contains("prepare warmed"));
  ASSERT_TRUE(eventually([&] { return status_of("a").ready == 2; }));
  EXPECT_EQ(status_of("a").taken, 1U);
  EXPECT_EQ(status_of("b").ready, 1U);
  EXPECT_THAT(driver_.prepared(), Contains(*id)) << "it is somebody else's now";
  pool.give_back(*id);
  EXPECT_TRUE(come_to(3));
  EXPECT_THAT(driver_.prepared(), Not(Contains(*id)));
  pool.close();
  EXPECT_THAT(driver_.prepared(), IsEmpty());
  EXPECT_FALSE(pool.take(shape("a", 2).spec, "", {}));
}

TEST_F(WarmPoolTest, SparesTakeWhatTheWishesOfPluginsLeave) {
  auto spare = [](std::uint32_t mib) {
    auto out = shape("", 1);
    out.spec.resources.memory_mib = mib;
    out.spare = true;
    return out;
  };
  want({spare(100), spare(200)});
  auto& pool = open(60);
  ASSERT_TRUE(come_to(2));
  EXPECT_EQ(status_of("").ready, 2U);
  EXPECT_EQ(status_of("").wish.size, 2U);
  want({shape("a", 59), spare(200), spare(100)});
  ASSERT_TRUE(eventually([&] { return status_of("a").ready == 59 && status_of("").ready == 1; }));
  EXPECT_FALSE(pool.take(spare(100).spec, "", {})) << "it was asked for less lately";
  ASSERT_TRUE(pool.take(spare(200).spec, "", {}));
  EXPECT_EQ(status_of("").taken, 1U);
  EXPECT_TRUE(eventually([&] { return status_of("").ready == 1; }));
  want({shape("a", 60), spare(200)});
  EXPECT_TRUE(eventually([&] { return status_of("a").ready == 60; }));
  EXPECT_EQ(status_of("").ready, 0U);
}

TEST_F(WarmPoolTest, FollowsWhatIsWanted) {
  want({shape("a", 3)});
  open(512);
  ASSERT_TRUE(come_to(3));
  want({shape("a", 1)});
  ASSERT_TRUE(come_to(1));
  want({shape("a", 1, WarmMode::kParked)});
  ASSERT_TRUE(eventually([&] { return driver_.count(DriverCall::kPrepare) == 4 && driver_.prepared().size() == 1; }));
  auto impossible = shape("a", 1, WarmMode::kParked);
  impossible.problem = "its image is not here";
  want({impossible});
  ASSERT_TRUE(come_to(0));
  EXPECT_EQ(status_of("a").problem, "its image is not here");
  want({});
  EXPECT_TRUE(eventually([&] { return pool_->status().empty(); }));
}

TEST_F(WarmPoolTest, WhatCannotGoIsTriedAgain) {
  want({shape("a", 1)});
  open(512);
  ASSERT_TRUE(come_to(1));
  driver_.fail_next(DriverCall::kDestroy, {ErrorCode::kIo, 0, "busy", {}}, 2);
  want({});
  EXPECT_TRUE(come_to(0));
  EXPECT_EQ(driver_.count(DriverCall::kDestroy), 3);
}

TEST_F(WarmPoolTest, KeepsToItsBudgetAndMakesRoom) {
  want({shape("a", 64), shape("b", 64)});
  auto& pool = open(50);
  ASSERT_TRUE(eventually([&] { return status_of("b").problem.find("--warm-pool-mb") != std::string::npos; }));
  EXPECT_THAT(driver_.prepared(), SizeIs(50));
  EXPECT_EQ(status_of("a").ready, 25U) << "in turns";
  EXPECT_EQ(status_of("a").memory_bytes, 25U << 20U);
  spare_mib_ = 10;
  pool.make_room(10);
  EXPECT_THAT(driver_.prepared(), SizeIs(10));
  EXPECT_TRUE(eventually([&] { return status_of("a").problem.find("promised") != std::string::npos; }));
  EXPECT_THAT(driver_.prepared(), SizeIs(10));
  spare_mib_ = 1000;
  EXPECT_TRUE(come_to(50));
}

TEST_F(WarmPoolTest, ReplacesWhatHasEnded) {
  want({shape("a", 1)});
  open(512);
  ASSERT_TRUE(come_to(1));
  const auto ended = driver_.prepared().at(0);
  driver_.end_prepared(ended);
  EXPECT_TRUE(eventually([&] { return driver_.prepared().size() == 1 && driver_.prepared().at(0) != ended; }));
}

TEST_F(WarmPoolTest, TellsWhyAndDoesNotTryAgainAtOnce) {
  driver_.fail_next(DriverCall::kPrepare, {ErrorCode::kUnavailable, 0, "no template", {}}, 100);
  want({shape("a", 1), shape("b", 1)});
  open(512);
  ASSERT_TRUE(eventually([&] { return !status_of("b").problem.empty(); }));
  EXPECT_EQ(status_of("a").problem, "no template");
  want({shape("a", 1), shape("b", 1), shape("c", 1)});
  ASSERT_TRUE(eventually([&] { return !status_of("c").problem.empty(); }));
  EXPECT_EQ(driver_.count(DriverCall::kPrepare), 3);
  EXPECT_EQ(status_of("a").problem, "no template");
}

// The whole: from a manifest to the environment that is one of those that were made.
class WarmControllerTest : public ControllerTest {
 protected:
  WarmControllerTest() {
    drivers_.push_back(&microvms_);
    warm_pool_mib_ = 256;
  }
  void install(const std::string& version, const std::string& warm_pool) {
    EXPECT_TRUE(write_file_atomic(dir_ / "disk", "a disk", 0600));
    Plugin plugin{
        .name = "p", .version = version, .runtime = {}, .manifest_json = {}, .enabled = true, .created_at = {}};
    plugin.manifest_json =
        cat(R"({"name":"p","version":")", version, R"(","rootfs":{"url":"file://)", dir_ / "disk", R"(","checksum":")",
            sha256_of("a disk").text(), R"("},"resources":{"memory_mb":128},"warm_pool":)", warm_pool, "}");
    ASSERT_TRUE(store_->install_plugin(plugin, {}));
  }
  static EnvironmentSpec of_plugin(const std::string& name) {
    EnvironmentSpec spec;
    spec.name = name;
    spec.plugin = "p";
    return spec;
  }
  // What the driver has prepared can be taken a moment later.
  bool come_to_be_ready(std::uint32_t count) {
    return eventually([&] {
      const auto pools = controller_->warm_pools();
      return !pools.empty() && pools.at(0).ready == count;
    });
  }
  void TearDown() override {
    ControllerTest::TearDown();
    EXPECT_THAT(microvms_.prepared(), IsEmpty());
    EXPECT_THAT(microvms_.violations(), IsEmpty());
  }
  FakeDriver microvms_{Isolation::kMicrovm};
};

TEST_F(WarmControllerTest, ACreationThatStartsBecomesOneOfThem) {
  install("1", R"({"mode":"warmed","size":2})");
  restart_daemon();  // it looks at once
  ASSERT_TRUE(come_to_be_ready(2));
  const auto waiting = microvms_.prepared();
  const auto stays = submit(CreateCommand{of_plugin("stays"), false});
  ASSERT_TRUE(stays) << stays.error().message();
  EXPECT_THAT(waiting, Not(Contains(stays->id)));
  auto large = of_plugin("large");
  large.resources.memory_mib = 256;
  const auto other = run(large);
  ASSERT_TRUE(other) << other.error().message();
  EXPECT_THAT(waiting, Not(Contains(other->id)));
  ASSERT_TRUE(ask("large", Verb::kForceDelete));
  const auto taken = run(of_plugin("taken"));
  ASSERT_TRUE(taken) << taken.error().message();
  EXPECT_THAT(waiting, Contains(taken->id));
  EXPECT_EQ(taken->status.state, State::kRunning);
  EXPECT_EQ(microvms_.launches(taken->id).at(0).network->ip, taken->ip);
  EXPECT_EQ(controller_->warm_pools().at(0).taken, 1U);
}

TEST_F(WarmControllerTest, WhatIsStartedAgainAndAgainHasASpare) {
  spares_ = 1;
  install("1", R"({"mode":"off"})");
  restart_daemon();
  const auto start = [&](const std::string& name, std::uint32_t mib = 128) {
    auto spec = of_plugin(name);
    spec.resources.memory_mib = mib;
    const auto started = run(spec);
    EXPECT_TRUE(started) << started.error().message();
    EXPECT_TRUE(ask(name, Verb::kForceDelete));
    return started ? started->id : std::string();
  };
  start("first");
  start("other", 256);
  start("second");
  ASSERT_TRUE(come_to_be_ready(1));
  const auto waiting = microvms_.prepared().at(0);
  EXPECT_EQ(start("third"), waiting);
  ASSERT_TRUE(eventually([&] { return microvms_.prepared().size() == 1; })) << "and another";
  ASSERT_TRUE(store_->set_plugin_enabled({"p", "1"}, false, {}));
  EXPECT_TRUE(eventually([&] { return microvms_.prepared().empty(); })) << "nobody can start one";
}

TEST_F(WarmControllerTest, OneThatCannotBeStoredIsGivenBack) {
  pool_last_ = "192.168.127.100";
  install("1", R"({"mode":"parked"})");
  restart_daemon();
  ASSERT_TRUE(come_to_be_ready(1));
  ASSERT_TRUE(run(of_plugin("one")));
  ASSERT_TRUE(come_to_be_ready(1));
  EXPECT_FALSE(run(of_plugin("two"))) << "there is no address left";
  EXPECT_EQ(controller_->warm_pools().at(0).ready, 1U) << "nothing was taken for what was refused";
  EXPECT_TRUE(controller_->settle(testing::kDeadline));
  EXPECT_THAT(microvms_.prepared(), IsEmpty());
}

}  // namespace
}  // namespace skerry
