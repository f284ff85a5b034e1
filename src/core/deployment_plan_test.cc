#include "core/deployment_plan.h"

#include <gtest/gtest.h>

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

// Whatever dies, is removed by hand or is scaled in between, applying the plan again and again ends at the goal.
TEST(DeploymentPlan, ConvergesFromAnywhere) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::map<std::uint32_t, ReplicaView> present;
    for (std::uint32_t number = 1; number <= 8; ++number) {
      if (random() % 2 == 0) continue;
      ReplicaView replica = running(number);
      replica.state = static_cast<State>(random() % 9);
      replica.current_revision = random() % 2 == 0;
      present[number] = replica;
    }
    const DeploymentGoal goal{static_cast<std::uint32_t>(random() % 6), static_cast<std::uint32_t>(1 + random() % 2)};
    int iterations = 0;
    while (true) {
      std::vector<ReplicaView> list;
      for (auto& [number, replica] : present) list.push_back(replica);
      const auto steps = plan_deployment(goal, list);
      for (const auto& step : steps) {
        if (step.act == ReplicaAct::kCreate) {
          ASSERT_TRUE(present.emplace(step.number, running(step.number)).second);
        }
        if (step.act == ReplicaAct::kRemove) {
          ASSERT_EQ(present.erase(step.number), 1U);
        }
      }
      bool moved = !steps.empty();
      for (auto it = present.begin(); it != present.end();) {
        const State state = it->second.state;
        if (state == State::kDeleting) {
          it = present.erase(it);
          moved = true;
          continue;
        }
        if (state != State::kRunning && state != State::kStopped && state != State::kFailed) {
          it->second.state = State::kRunning;
          moved = true;
        }
        ++it;
      }
      if (!moved) break;
      ASSERT_LT(++iterations, 50);
    }
    EXPECT_EQ(present.size(), goal.replicas);
    for (const auto& [number, replica] : present) EXPECT_TRUE(replica.current_revision && is_ready(replica));
  }
}

}  // namespace
}  // namespace skerry
