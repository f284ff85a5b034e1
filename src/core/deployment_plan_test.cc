#include "core/deployment_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace skerry {
namespace {

ReplicaView running(std::uint32_t number) { return {number, State::kRunning, Health::kUnknown, false, true}; }

std::vector<std::uint32_t> numbers(const std::vector<ReplicaStep>& steps, ReplicaAct act) {
  std::vector<std::uint32_t> out;
  for (const auto& step : steps) {
    if (step.act == act) out.push_back(step.number);
  }
  return out;
}

TEST(DeploymentPlan, FillsTheLowestFreeNumbersFirst) {
  const auto steps = plan_deployment({5, 1}, {running(2), running(4)});
  EXPECT_EQ(numbers(steps, ReplicaAct::kCreate), (std::vector<std::uint32_t>{1, 3, 5}));
  EXPECT_TRUE(numbers(steps, ReplicaAct::kRemove).empty());
}

TEST(DeploymentPlan, ScalesDownFromTheHighestNumber) {
  const auto steps = plan_deployment({2, 1}, {running(5), running(1), running(3), running(4)});
  EXPECT_EQ(numbers(steps, ReplicaAct::kRemove), (std::vector<std::uint32_t>{4, 5}));
  EXPECT_TRUE(numbers(steps, ReplicaAct::kCreate).empty());
}

TEST(DeploymentPlan, ReplacesWhatEndedOrIsUnhealthy) {
  auto sick = running(2);
  sick.has_health_check = true;
  sick.health = Health::kUnhealthy;
  auto dead = running(3);
  dead.state = State::kFailed;
  const auto steps = plan_deployment({3, 1}, {running(1), sick, dead});
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_EQ(steps[0], (ReplicaStep{ReplicaAct::kRemove, 2, "unhealthy"}));
  EXPECT_EQ(steps[1], (ReplicaStep{ReplicaAct::kRemove, 3, "ended"}));
}

TEST(DeploymentPlan, WaitsForANumberThatIsBeingDeleted) {
  auto going = running(1);
  going.state = State::kDeleting;
  EXPECT_TRUE(plan_deployment({1, 1}, {going}).empty());
  EXPECT_EQ(numbers(plan_deployment({2, 1}, {going}), ReplicaAct::kCreate), (std::vector<std::uint32_t>{2}));
}

TEST(DeploymentPlan, RollsOneAfterTheOther) {
  std::vector<ReplicaView> present{running(1), running(2), running(3)};
  for (auto& replica : present) replica.current_revision = false;
  EXPECT_EQ(numbers(plan_deployment({3, 1}, present), ReplicaAct::kRemove), (std::vector<std::uint32_t>{1}));
  EXPECT_EQ(numbers(plan_deployment({3, 2}, present), ReplicaAct::kRemove), (std::vector<std::uint32_t>{1, 2}));
  // The new one is there but not ready: wait.
  present[0].current_revision = true;
  present[0].state = State::kStarting;
  EXPECT_TRUE(plan_deployment({3, 1}, present).empty());
}

TEST(DeploymentPlan, NamesAndNumbers) {
  EXPECT_EQ(replica_name("web", 3), "web-3");
  EXPECT_EQ(replica_number("web", "web-3"), 3U);
  EXPECT_EQ(replica_number("web", "web-03"), 0U);
  EXPECT_EQ(replica_number("web", "web-"), 0U);
  EXPECT_EQ(replica_number("web", "web-x"), 0U);
  EXPECT_EQ(replica_number("web", "other-3"), 0U);
}

// A host as the plan sees it: starts and deletions take their time, replicas die and fall ill, somebody deletes by
// hand.
class World {
 public:
  explicit World(unsigned seed) : random_(seed) {}

  // Replicas in every state there is, and another goal.
  void scatter() {
    present_.clear();
    for (std::uint32_t number = 1; number <= 8; ++number) {
      if (below(2) == 0) continue;
      ReplicaView replica = running(number);
      replica.state = static_cast<State>(below(9));
      replica.current_revision = below(2) == 0;
      present_[number] = replica;
    }
    goal_ = {below(6), 1 + below(2)};
  }

  // One thing that nobody planned.
  void happen() {
    const auto number = below(8) + 1;
    const auto found = present_.find(number);
    switch (below(8)) {
      case 0: goal_.replicas = below(7); break;
      case 1: goal_.max_unavailable = below(3); break;
      case 2:
        for (auto& [_, replica] : present_) replica.current_revision = false;
        break;
      case 3:
        if (found != present_.end()) present_.erase(found);
        break;
      case 4:
        if (found != present_.end() && found->second.state != State::kDeleting) found->second.state = State::kFailed;
        break;
      case 5:
        if (found != present_.end()) found->second.health = Health::kUnhealthy;
        break;
      default: pass(below(2) == 0); break;
    }
  }

  // Starts and deletions under way come to their end, all of them or some.
  void pass(bool all) {
    for (auto it = present_.begin(); it != present_.end();) {
      auto& replica = it->second;
      const bool now = all || below(2) == 0;
      if (now && replica.state == State::kDeleting) {
        it = present_.erase(it);
        continue;
      }
      if (now && replica.state != State::kStopped && replica.state != State::kFailed &&
          replica.health != Health::kUnhealthy) {
        replica.state = State::kRunning;
        replica.health = Health::kHealthy;
      }
      ++it;
    }
  }

  // What the reconciler does when it is woken. Checks each step against what it promises.
  void reconcile() {
    std::vector<ReplicaView> list;
    list.reserve(present_.size());
    for (const auto& [_, replica] : present_) list.push_back(replica);
    std::ranges::shuffle(list, random_);
    lowest_let_go_ = UINT32_MAX;
    for (const auto& step : plan_deployment(goal_, list)) {
      if (step.act == ReplicaAct::kCreate) {
        create(step.number);
      } else {
        remove(step);
      }
    }
    ASSERT_LE(kept(), goal_.replicas);
    for (const auto& [number, replica] : present_) {
      ASSERT_TRUE(number <= lowest_let_go_ || replica.state == State::kDeleting) << number << " is higher and stays";
    }
  }

  // Without further trouble it comes to rest at the goal.
  void settle() {
    for (int i = 0; i < 60; ++i) {
      pass(true);
      reconcile();
    }
    ASSERT_EQ(present_.size(), goal_.replicas);
    for (const auto& [_, replica] : present_) ASSERT_TRUE(replica.current_revision && is_ready(replica));
  }

 private:
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_() % limit); }
  [[nodiscard]] std::size_t kept() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(present_, [](const auto& each) { return each.second.state != State::kDeleting; }));
  }
  [[nodiscard]] std::uint32_t ready() const {
    return static_cast<std::uint32_t>(
        std::ranges::count_if(present_, [](const auto& each) { return is_ready(each.second); }));
  }

  void create(std::uint32_t number) {
    for (std::uint32_t lower = 1; lower < number; ++lower) {
      ASSERT_TRUE(present_.contains(lower)) << lower << " is free, and " << number << " is made";
    }
    ReplicaView replica;
    replica.number = number;
    replica.state = State::kStarting;
    replica.has_health_check = true;
    ASSERT_TRUE(present_.emplace(number, replica).second) << number << " is doubled";
  }

  void remove(const ReplicaStep& step) {
    const auto found = present_.find(step.number);
    ASSERT_NE(found, present_.end()) << step.number << " is not there";
    ASSERT_NE(found->second.state, State::kDeleting) << step.number << " goes already";
    const bool was_ready = is_ready(found->second);
    if (step.why == "scale down") lowest_let_go_ = std::min(lowest_let_go_, step.number);
    found->second.state = State::kDeleting;
    if (step.why == "older revision" && was_ready) {
      ASSERT_GE(ready() + std::max(1U, goal_.max_unavailable), goal_.replicas) << "too many at once";
    }
  }

  std::mt19937 random_;
  std::map<std::uint32_t, ReplicaView> present_;
  DeploymentGoal goal_;
  std::uint32_t lowest_let_go_ = UINT32_MAX;  // by the last plan, to scale down
};

TEST(DeploymentPlan, ConvergesFromAnywhere) {
  World world(7);
  for (int round = 0; round < 2000; ++round) {
    world.scatter();
    world.settle();
    if (::testing::Test::HasFatalFailure()) FAIL() << "round " << round;
  }
}

// Lost wake-ups are steps without a reconcile(); a daemon that begins anew remembers nothing, as the plan never does.
TEST(DeploymentPlan, KeepsItsPromisesInAHundredThousandSteps) {
  constexpr int kSteps = 100'000;
  constexpr int kQuietEvery = 500;
  for (const unsigned seed : {1U, 2U}) {
    World world(seed);
    for (int step = 1; step <= kSteps / 2; ++step) {
      world.happen();
      if (step % 3 != 0) world.reconcile();
      if (step % kQuietEvery == 0) world.settle();
      if (::testing::Test::HasFatalFailure()) FAIL() << "seed " << seed << ", step " << step;
    }
  }
}

}  // namespace
}  // namespace skerry
