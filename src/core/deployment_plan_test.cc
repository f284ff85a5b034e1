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
  auto steps = plan_deployment({3, 1}, {running(5), running(1), running(3), running(4), running(2)});
  EXPECT_EQ(numbers(steps, ReplicaAct::kRemove), (std::vector<std::uint32_t>{4, 5}));
  EXPECT_TRUE(numbers(steps, ReplicaAct::kCreate).empty());
  steps = plan_deployment({2, 1}, {running(5), running(1), running(3), running(4)});
  EXPECT_EQ(numbers(steps, ReplicaAct::kRemove), (std::vector<std::uint32_t>{4, 5})) << "3 serves until there is 2";
  EXPECT_EQ(numbers(steps, ReplicaAct::kCreate), (std::vector<std::uint32_t>{2}));
}

// As after a rollback and a scale-down, one upon the other.
TEST(DeploymentPlan, AReadyOneAboveServesUntilTheLowerOneIsRight) {
  std::vector<ReplicaView> present{running(1), running(2), running(3)};
  present[0].current_revision = false;
  const auto steps = plan_deployment({1, 1}, present);
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_EQ(steps[0], (ReplicaStep{ReplicaAct::kRemove, 1, "older revision"}));
  EXPECT_EQ(steps[1], (ReplicaStep{ReplicaAct::kRemove, 3, "scale down"}));
  present = {running(2)};
  EXPECT_EQ(plan_deployment({1, 1}, present), (std::vector{ReplicaStep{ReplicaAct::kCreate, 1, "scale up"}}));
  present = {running(1), running(2)};
  present[0].state = State::kStarting;
  EXPECT_TRUE(plan_deployment({1, 1}, present).empty());
  EXPECT_EQ(numbers(plan_deployment({1, 1, Surplus::kLetGo}, present), ReplicaAct::kRemove),
            (std::vector<std::uint32_t>{2}))
      << "nobody waits any longer";
  present[0].state = State::kRunning;
  EXPECT_EQ(numbers(plan_deployment({1, 1}, present), ReplicaAct::kRemove), (std::vector<std::uint32_t>{2}));
}

TEST(DeploymentPlan, OnlyWhatServesIsHeldAndRatherOfTheRightRevision) {
  std::vector<ReplicaView> present{running(1), running(2), running(3), running(4)};
  present[0].current_revision = present[1].current_revision = false;
  present[3].state = State::kStarting;
  EXPECT_EQ(numbers(plan_deployment({1, 1}, present), ReplicaAct::kRemove), (std::vector<std::uint32_t>{1, 2, 4}));
  present[2].health = Health::kUnhealthy;
  EXPECT_EQ(numbers(plan_deployment({1, 1}, present), ReplicaAct::kRemove), (std::vector<std::uint32_t>{1, 3, 4}));
  EXPECT_EQ(numbers(plan_deployment({0, 1}, present), ReplicaAct::kRemove), (std::vector<std::uint32_t>{1, 2, 3, 4}));
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
    const auto before = present_;
    for (const auto& step : plan_deployment(goal_, list)) {
      if (step.act == ReplicaAct::kCreate) {
        create(step.number);
      } else {
        remove(step);
      }
    }
    check_surplus();
    check_service(before);
  }

  // Without further trouble it comes to rest at the goal.
  void settle() {
    for (int i = 0; i < 60; ++i) {
      pass(true);
      reconcile();
    }
    ASSERT_EQ(present_.size(), goal_.replicas);
    for (const auto& [number, replica] : present_) {
      ASSERT_LE(number, goal_.replicas);
      ASSERT_TRUE(is_right(replica));
    }
  }

 private:
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_() % limit); }
  using Replicas = std::map<std::uint32_t, ReplicaView>;
  static bool serves(const ReplicaView& replica) { return is_ready(replica) && replica.health != Health::kUnhealthy; }
  static bool is_right(const ReplicaView& replica) { return replica.current_revision && serves(replica); }
  template <typename Is>
  static std::size_t count(const Replicas& replicas, Is is) {
    return static_cast<std::size_t>(std::ranges::count_if(replicas, [&](const auto& each) { return is(each.second); }));
  }
  // What stays above the goal serves in the stead of a number that has no right replica, and the highest went first.
  void check_surplus() {
    const auto stay = [&](const auto& replica) {
      return replica.number > goal_.replicas && replica.state != State::kDeleting;
    };
    const auto right = [&](const auto& replica) { return replica.number <= goal_.replicas && is_right(replica); };
    ASSERT_LE(count(present_, stay) + count(present_, right), goal_.replicas);
    for (const auto& [number, replica] : present_) {
      if (!stay(replica)) continue;
      ASSERT_TRUE(serves(replica)) << number;
      const auto same = replica.current_revision;
      for (const auto& [let_go, current] : let_go_) {
        ASSERT_TRUE(current != same || let_go > number) << let_go << " went, and " << number << " stays";
      }
    }
    let_go_.clear();
  }
  // Nothing that the plan did has taken away what was needed.
  void check_service(const Replicas& before) {
    const std::size_t most = std::max(1U, goal_.max_unavailable);
    const std::size_t least = goal_.replicas > most ? goal_.replicas - most : 0;
    ASSERT_GE(count(present_, serves), std::min(count(before, serves), least));
    ASSERT_GE(count(present_, is_right), std::min<std::size_t>(count(before, is_right), goal_.replicas));
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
    if (step.why == "scale down" && serves(found->second)) let_go_[step.number] = found->second.current_revision;
    found->second.state = State::kDeleting;
    if (step.why == "older revision" && was_ready) {
      ASSERT_GE(ready() + std::max(1U, goal_.max_unavailable), goal_.replicas) << "too many at once";
    }
  }

  std::mt19937 random_;
  Replicas present_;
  DeploymentGoal goal_;
  std::map<std::uint32_t, bool> let_go_;  // by this plan, to scale down: of the current revision?
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
