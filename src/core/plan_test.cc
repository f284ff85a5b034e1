#include "core/plan.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

#include "base/text.h"
#include "core/state_machine.h"

namespace skerry {
namespace {

using std::chrono::seconds;

constexpr std::array kStates{State::kCreated,  State::kStarting, State::kRunning, State::kPaused,  State::kSuspended,
                             State::kStopping, State::kStopped,  State::kFailed,  State::kDeleting};
constexpr std::array kPhases{Phase::kAbsent, Phase::kRunning, Phase::kPaused, Phase::kExited, Phase::kBroken};
constexpr std::array kGoals{Goal::kStopped, Goal::kRunning, Goal::kPaused, Goal::kSuspended, Goal::kDeleted};

std::string_view name_of(Phase phase) {
  constexpr std::array<std::string_view, 5> kNames{"absent", "running", "paused", "exited", "broken"};
  return kNames.at(static_cast<std::size_t>(phase));
}

// One letter an action, as the tables below use them.
char letter_of(Action action) {
  switch (action) {
    case Action::kNone: return '.';
    case Action::kWait: return 'w';
    case Action::kStart: return 'S';
    case Action::kStop: return 's';
    case Action::kPause: return 'p';
    case Action::kResume: return 'r';
    case Action::kSuspend: return 'u';
    case Action::kCollect: return 'c';
    case Action::kDestroy: return 'D';
  }
  return '?';
}

Environment make(Goal goal, State state) {
  Environment environment;
  environment.spec.name = "web";
  environment.status.goal = goal;
  environment.status.state = state;
  return environment;
}

// Without a restart policy. Rows as kPhases, columns as kStates.
struct Table {
  Goal goal;
  std::array<std::string_view, kPhases.size()> rows;
};
constexpr std::array kTables{
    //                created starting running paused suspended stopping stopped failed deleting
    Table{Goal::kStopped,
          {".ccccc...",    // absent
           "sssssssss",    // running
           "sssssssss",    // paused
           "ccccccccc",    // exited
           "ccccccccc"}},  // broken
    Table{Goal::kRunning,
          {"SSccSc...",  //
           ".....s...",  // stopping: a restart
           "rrrrrsrrr",  //
           "ccccccccc",  //
           "ccccccccc"}},
    Table{Goal::kPaused,
          {".ccc.c...",  //
           "ppppppppp",  //
           ".........",  //
           "ccccccccc",  //
           "ccccccccc"}},
    Table{Goal::kSuspended,
          {".ccc.c...",  //
           "uuuuuuuuu",  //
           "uuuuuuuuu",  //
           "ccccccccc",  //
           "ccccccccc"}},
    Table{Goal::kDeleted,
          {"DDDDDDDDD",  //
           "DDDDDDDDD",  //
           "DDDDDDDDD",  //
           "DDDDDDDDD",  //
           "DDDDDDDDD"}},
};
static_assert(kTables.size() == kGoals.size());

TEST(Plan, EveryGoalInEveryPhaseAndState) {
  for (const auto& table : kTables) {
    for (std::size_t phase = 0; phase < kPhases.size(); ++phase) {
      for (std::size_t state = 0; state < kStates.size(); ++state) {
        const Observation observed{.phase = kPhases[phase], .pid = 0, .exit_code = std::nullopt, .reason = {}};
        const auto step = plan(make(table.goal, kStates[state]), observed, {}, MonoTime{1});
        EXPECT_EQ(letter_of(step.action), table.rows.at(phase)[state])
            << "goal " << to_text(table.goal) << ", " << name_of(kPhases[phase]) << ", " << to_text(kStates[state]);
      }
    }
  }
}

// ── restarts ──

RestartPolicy policy(RestartMode mode, std::uint32_t max = 0, std::uint32_t backoff_ms = 1000) {
  return {.mode = mode, .max = max, .backoff_ms = backoff_ms};
}

TEST(ShouldRestart, FollowsTheModeAndTheCode) {
  struct Case {
    RestartMode mode;
    std::optional<int> code;
    bool restart;
  };
  constexpr std::optional<int> kUnknown;
  for (const auto& [mode, code, restart] : {Case{RestartMode::kNo, 0, false},
                                            {RestartMode::kNo, 1, false},
                                            {RestartMode::kOnFailure, 0, false},
                                            {RestartMode::kOnFailure, 1, true},
                                            {RestartMode::kOnFailure, 137, true},
                                            {RestartMode::kOnFailure, kUnknown, true},
                                            {RestartMode::kAlways, 0, true},
                                            {RestartMode::kAlways, kUnknown, true},
                                            {RestartMode::kUnlessStopped, 0, true},
                                            {RestartMode::kUnlessStopped, 1, true}}) {
    EXPECT_EQ(should_restart(policy(mode), Goal::kRunning, code, 0), restart)
        << to_text(mode) << " after " << code.value_or(-1);
  }
}

TEST(ShouldRestart, NeverAgainstTheUsersWill) {
  for (const Goal goal : {Goal::kStopped, Goal::kPaused, Goal::kSuspended, Goal::kDeleted}) {
    EXPECT_FALSE(should_restart(policy(RestartMode::kAlways), goal, 1, 0)) << to_text(goal);
  }
}

TEST(ShouldRestart, StopsAtTheMaximum) {
  const auto three = policy(RestartMode::kAlways, 3);
  EXPECT_TRUE(should_restart(three, Goal::kRunning, 1, 2));
  EXPECT_FALSE(should_restart(three, Goal::kRunning, 1, 3));
  EXPECT_TRUE(should_restart(policy(RestartMode::kAlways), Goal::kRunning, 1, 4'000'000'000U));
}

TEST(RestartDelay, DoublesUpToItsLimit) {
  EXPECT_EQ(restart_delay(policy(RestartMode::kAlways), 0), seconds(1));
  EXPECT_EQ(restart_delay(policy(RestartMode::kAlways), 1), seconds(2));
  EXPECT_EQ(restart_delay(policy(RestartMode::kAlways), 8), seconds(256));
  EXPECT_EQ(restart_delay(policy(RestartMode::kAlways), 9), seconds(300));
  EXPECT_EQ(restart_delay(policy(RestartMode::kAlways), 4'000'000'000U), seconds(300));
  EXPECT_EQ(restart_delay(policy(RestartMode::kAlways, 0, 0), 20), seconds(0));
  EXPECT_EQ(restart_delay(policy(RestartMode::kAlways, 0, 0xFFFFFFFF), 31), seconds(300));
}

TEST(Plan, WaitsOutTheBackOffAndThenStartsAgain) {
  auto environment = make(Goal::kRunning, State::kFailed);
  environment.spec.restart = policy(RestartMode::kOnFailure, 0, 1000);
  environment.status.exit_code = 1;
  environment.status.restarts = 2;
  const RunHistory history{.ended_at = MonoTime{100'000'000'000}};
  const MonoTime due = history.ended_at + seconds(4);
  const auto early = plan(environment, {}, history, due + Duration(-1));
  EXPECT_EQ(early.action, Action::kWait);
  EXPECT_EQ(early.not_before, due);
  EXPECT_EQ(plan(environment, {}, history, due).action, Action::kStart);
}

TEST(Plan, AnEndWithCodeZeroIsNoFailure) {
  auto environment = make(Goal::kRunning, State::kStopped);
  environment.spec.restart.mode = RestartMode::kOnFailure;
  environment.status.exit_code = 0;
  EXPECT_EQ(plan(environment, {}, {}, MonoTime{1}).action, Action::kNone);
}

// ── convergence ──

// The simplest control plane and driver that obey the contracts: every action succeeds at once, except that the first
// `failing_starts` starts end as a run that exits with code 1.
class World {
 public:
  World(Environment environment, Observation observed, int failing_starts)
      : environment_(std::move(environment)), observed_(std::move(observed)), failing_starts_(failing_starts) {}

  Step next() const { return plan(environment_, observed_, history_, now_); }

  void act(const Step& step) {
    switch (step.action) {
      case Action::kNone: return;
      case Action::kWait: return wait(step.not_before);
      case Action::kStart: return start();
      case Action::kStop:
        move(State::kStopping);
        observed_ = {.phase = Phase::kExited, .pid = 0, .exit_code = 143, .reason = {}};
        return;
      case Action::kPause: return reach(State::kPaused, Phase::kPaused);
      case Action::kResume: return reach(State::kRunning, Phase::kRunning);
      case Action::kSuspend: return reach(State::kSuspended, Phase::kAbsent);
      case Action::kCollect: return collect();
      case Action::kDestroy:
        move(State::kDeleting);
        observed_ = {};
        gone_ = true;
        return;
    }
  }

  [[nodiscard]] bool gone() const { return gone_; }
  [[nodiscard]] State state() const { return environment_.status.state; }
  [[nodiscard]] Phase phase() const { return observed_.phase; }
  [[nodiscard]] std::uint32_t restarts() const { return environment_.status.restarts; }

 private:
  // What was observed is true, whatever was stored before: an adopting daemon may find a run it had no arrow to.
  void move(State to) { environment_.status.state = to; }
  void reach(State state, Phase phase) {
    move(state);
    observed_.phase = phase;
  }
  void wait(MonoTime until) {
    EXPECT_GT(until, now_) << "a wait must lead into the future";
    now_ = until;
  }
  void start() {
    EXPECT_EQ(observed_.phase, Phase::kAbsent) << "started upon the remains of another run";
    if (environment_.status.state == State::kFailed || environment_.status.state == State::kStopped)
      ++environment_.status.restarts;
    if (failing_starts_ > 0) {
      --failing_starts_;
      environment_.status.state = State::kRunning;
      observed_ = {.phase = Phase::kExited, .pid = 0, .exit_code = 1, .reason = {}};
      return;
    }
    reach(State::kRunning, Phase::kRunning);
  }
  void collect() {
    observed_.phase = Phase::kAbsent;
    if (is_over(environment_.status.state)) return;  // its end is told: only its remains were left
    environment_.status.exit_code = observed_.exit_code;
    const bool asked = environment_.status.state == State::kStopping || observed_.exit_code == 0;
    environment_.status.state = is_restarting(environment_.status) ? State::kStarting
                                : asked                            ? State::kStopped
                                                                   : State::kFailed;
    history_.ended_at = now_;
    observed_ = {};
  }

  Environment environment_;
  Observation observed_;
  RunHistory history_;
  MonoTime now_{1};
  int failing_starts_ = 0;
  bool gone_ = false;
};

// Where a goal may come to rest.
bool is_rest(Goal goal, const World& world) {
  const bool nothing_runs = world.phase() == Phase::kAbsent && !is_alive(world.state());
  switch (goal) {
    case Goal::kStopped: return nothing_runs;
    // A run that ended and may not follow by another one is at rest, too.
    case Goal::kRunning: return world.phase() == Phase::kRunning || nothing_runs;
    case Goal::kPaused: return world.phase() == Phase::kPaused || nothing_runs;
    case Goal::kSuspended: return nothing_runs;
    case Goal::kDeleted: return world.gone();
  }
  return false;
}

TEST(Plan, ComesToRestFromEverywhere) {
  constexpr int kMostSteps = 40;
  for (const Goal goal : kGoals) {
    for (const State state : kStates) {
      for (const Phase phase : kPhases) {
        for (const auto mode : {RestartMode::kNo, RestartMode::kOnFailure, RestartMode::kAlways}) {
          for (const int failing_starts : {0, 1, 5}) {
            auto environment = make(goal, state);
            environment.spec.restart = policy(mode, 4, 100);
            const std::string where = cat("goal ", to_text(goal), ", ", to_text(state), ", ", name_of(phase), ", ",
                                          to_text(mode), ", failing ", failing_starts);
            World world(environment, {.phase = phase, .pid = 0, .exit_code = std::nullopt, .reason = {}},
                        failing_starts);
            int steps = 0;
            for (; steps < kMostSteps && !world.gone(); ++steps) {
              const auto step = world.next();
              if (step.action == Action::kNone) break;
              world.act(step);
            }
            EXPECT_LT(steps, kMostSteps) << where << ": does not come to rest";
            EXPECT_TRUE(is_rest(goal, world))
                << where << ": rests " << to_text(world.state()) << ", " << name_of(world.phase());
            EXPECT_LE(world.restarts(), 4U) << where;
          }
        }
      }
    }
  }
}

TEST(Plan, ARunThatFailsIsStartedAgainUntilItHolds) {
  auto environment = make(Goal::kRunning, State::kCreated);
  environment.spec.restart = policy(RestartMode::kOnFailure, 4, 100);
  World world(environment, {}, 3);
  for (int i = 0; i < 20; ++i) world.act(world.next());
  EXPECT_EQ(world.phase(), Phase::kRunning);
  EXPECT_EQ(world.restarts(), 3U);
}

TEST(CrashLoop, IsWhatFailsAgainAndAgain) {
  Environment environment;
  environment.spec.restart = {.mode = RestartMode::kAlways, .max = 0, .backoff_ms = 1};
  environment.status.goal = Goal::kRunning;
  environment.status.state = State::kFailed;
  environment.status.exit_code = 1;
  environment.status.restarts = kCrashLoopRestarts - 1;
  EXPECT_FALSE(is_crash_looping(environment));
  environment.status.restarts = kCrashLoopRestarts;
  EXPECT_TRUE(is_crash_looping(environment));
  environment.status.state = State::kRunning;
  EXPECT_FALSE(is_crash_looping(environment)) << "this one may last";
  environment.status.state = State::kFailed;
  environment.status.goal = Goal::kStopped;
  EXPECT_FALSE(is_crash_looping(environment)) << "given up";
}

}  // namespace
}  // namespace skerry
