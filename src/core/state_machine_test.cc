#include "core/state_machine.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string_view>

namespace skerry {
namespace {

constexpr std::array kStates{State::kCreated,  State::kStarting, State::kRunning, State::kPaused,  State::kSuspended,
                             State::kStopping, State::kStopped,  State::kFailed,  State::kDeleting};

// The drawing of the header as a table: rows are from, columns to, in the order of kStates. '#': there is an arrow.
constexpr std::array<std::string_view, kStates.size()> kArrows{
    // created starting running paused suspended stopping stopped failed deleting
    ".#..#...#",  // created
    "..#..#.##",  // starting
    "...######",  // running
    "..#..####",  // paused
    ".#...##.#",  // suspended
    ".#....###",  // stopping
    ".#..#...#",  // stopped
    ".#..#...#",  // failed
    ".........",  // deleting
};

TEST(StateMachine, HasExactlyTheArrowsOfTheDrawing) {
  for (std::size_t from = 0; from < kStates.size(); ++from) {
    for (std::size_t to = 0; to < kStates.size(); ++to) {
      EXPECT_EQ(can_move(kStates[from], kStates[to]), kArrows[from][to] == '#')
          << to_text(kStates[from]) << " -> " << to_text(kStates[to]);
    }
  }
}

TEST(StateMachine, EveryStateIsReachedFromCreatedAndLeadsToDeletion) {
  std::set<State> reached{State::kCreated};
  for (bool grew = true; grew;) {
    grew = false;
    for (const State from : std::set<State>(reached)) {
      for (const State to : kStates) grew |= can_move(from, to) && reached.insert(to).second;
    }
  }
  EXPECT_EQ(reached.size(), kStates.size());
  for (const State from : kStates) EXPECT_EQ(can_move(from, State::kDeleting), from != State::kDeleting);
}

TEST(StateMachine, AliveAreTheStatesWithProcesses) {
  const std::set<State> alive{State::kStarting, State::kRunning, State::kPaused, State::kStopping};
  for (const State state : kStates) EXPECT_EQ(is_alive(state), alive.contains(state)) << to_text(state);
  for (const State state : kStates) {
    EXPECT_EQ(is_over(state), state == State::kStopped || state == State::kFailed) << to_text(state);
  }
}

}  // namespace
}  // namespace skerry
