#include "core/admission.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

#include "base/text.h"
#include "core/plan.h"

namespace skerry {
namespace {

constexpr std::array kStates{State::kCreated,  State::kStarting, State::kRunning, State::kPaused,  State::kSuspended,
                             State::kStopping, State::kStopped,  State::kFailed,  State::kDeleting};

struct Row {
  Verb verb;
  std::string_view admitted;  // a column for every state of kStates; '#': admitted
};
constexpr std::array kRows{
    // created starting running paused suspended stopping stopped failed deleting
    Row{Verb::kStart, "###.#.##."},   Row{Verb::kStop, "########."},   Row{Verb::kRestart, "#.###.##."},
    Row{Verb::kPause, "..#......"},   Row{Verb::kResume, "...##...."}, Row{Verb::kSuspend, "..#......"},
    Row{Verb::kKill, ".###.#..."},    Row{Verb::kDelete, "#...#.###"}, Row{Verb::kForceDelete, "#########"},
    Row{Verb::kExec, "..#......"},    Row{Verb::kUpdate, "#.##..##."}, Row{Verb::kSave, "..#.#.##."},
    Row{Verb::kRestore, "#...#.##."},
};
static_assert(kRows.size() == kAllVerbs.size());

Environment environment_in(State state) {
  Environment environment;
  environment.spec.name = "web-1";
  environment.status.state = state;
  return environment;
}

TEST(Admission, EveryVerbInEveryState) {
  for (const auto& row : kRows) {
    for (std::size_t i = 0; i < kStates.size(); ++i) {
      const auto answer = admit(environment_in(kStates[i]), row.verb);
      EXPECT_EQ(answer.has_value(), row.admitted[i] == '#') << to_text(row.verb) << " when " << to_text(kStates[i]);
    }
  }
}

TEST(Admission, ARefusalNamesTheVerbTheEnvironmentItsStateAndAWayOut) {
  for (const Verb verb : kAllVerbs) {
    for (const State state : kStates) {
      const auto answer = admit(environment_in(state), verb);
      if (answer) continue;
      const auto& error = answer.error();
      EXPECT_EQ(error.code, ErrorCode::kConflict);
      for (const auto word : {to_text(verb), std::string_view("\"web-1\""), to_text(state)}) {
        EXPECT_NE(error.step.find(word), std::string::npos) << error.step << " lacks " << word;
      }
      EXPECT_FALSE(error.hint.empty()) << to_text(verb) << " when " << to_text(state);
    }
  }
}

// Between two runs of a restart loop there is no process, and yet something to end.
TEST(Admission, ARestartThatIsDueCanBeStoppedAndKilled) {
  for (const State state : {State::kStopped, State::kFailed}) {
    auto environment = environment_in(state);
    environment.status.goal = Goal::kRunning;
    environment.status.exit_code = 1;
    EXPECT_FALSE(restart_due(environment));
    EXPECT_FALSE(admit(environment, Verb::kKill));
    environment.spec.restart.mode = RestartMode::kAlways;
    EXPECT_TRUE(restart_due(environment));
    for (const Verb verb : {Verb::kKill, Verb::kStop, Verb::kStart, Verb::kDelete}) {
      EXPECT_TRUE(admit(environment, verb)) << to_text(verb);
    }
    environment.spec.restart.max = 3;
    environment.status.restarts = 3;
    EXPECT_FALSE(restart_due(environment)) << "all restarts are used up";
    environment.status.restarts = 0;
    environment.status.goal = Goal::kStopped;
    EXPECT_FALSE(restart_due(environment)) << "it was stopped meanwhile";
    EXPECT_FALSE(admit(environment, Verb::kKill));
  }
}

TEST(Admission, AdviceFitsTheState) {
  const auto hint = [](State state, Verb verb) { return admit(environment_in(state), verb).error().hint; };
  EXPECT_EQ(hint(State::kRunning, Verb::kDelete), "stop it first, or delete with --force");
  EXPECT_EQ(hint(State::kStopped, Verb::kExec), "start it first");
  EXPECT_EQ(hint(State::kPaused, Verb::kExec), "resume it first");
  EXPECT_EQ(hint(State::kSuspended, Verb::kPause), "resume it first");
  EXPECT_EQ(hint(State::kStarting, Verb::kExec), "wait until it runs");
  EXPECT_EQ(hint(State::kPaused, Verb::kStart), "resume it instead");
  EXPECT_EQ(hint(State::kStopping, Verb::kStart), "wait until it has stopped");
  EXPECT_EQ(hint(State::kStopped, Verb::kKill), "it does not run");
  EXPECT_EQ(hint(State::kDeleting, Verb::kStart), "it is being deleted");
}

EnvironmentSpec container() {
  EnvironmentSpec spec;
  spec.name = "web";
  spec.image = "nginx";
  return spec;
}
EnvironmentSpec microvm(std::uint32_t memory_mib) {
  auto spec = container();
  spec.isolation = Isolation::kMicrovm;
  spec.resources.memory_mib = memory_mib;
  return spec;
}
EnvironmentSpec from_plugin() {
  auto spec = container();
  spec.image.clear();
  spec.plugin = "nginx";
  return spec;
}

// Facts that admit everything, but for one.
template <typename Member, typename Value>
CreationFacts facts_with(Member member, Value value) {
  CreationFacts facts;
  facts.*member = value;
  return facts;
}
CreationFacts memory(std::uint64_t total_mib, std::uint64_t promised_mib) {
  auto facts = facts_with(&CreationFacts::memory_total_mib, total_mib);
  facts.memory_promised_mib = promised_mib;
  return facts;
}

TEST(AdmitCreation, AdmitsWhatFits) {
  EXPECT_TRUE(admit_creation(container(), {}));
  EXPECT_TRUE(admit_creation(from_plugin(), facts_with(&CreationFacts::plugin_enabled, true)));
}

TEST(AdmitCreation, EveryRefusalHasItsCodeAndSaysWhat) {
  struct Case {
    EnvironmentSpec spec;
    CreationFacts facts;
    ErrorCode code;
    std::string_view says;
  };
  auto nameless = container();
  nameless.name = "Not A Name";
  const std::array cases{
      Case{nameless, {}, ErrorCode::kInvalidArgument, "name: "},
      Case{container(), facts_with(&CreationFacts::name_taken, true), ErrorCode::kAlreadyExists,
           "name \"web\" is taken"},
      Case{from_plugin(), {}, ErrorCode::kNotFound, "plugin \"nginx\" is not installed"},
      Case{from_plugin(), facts_with(&CreationFacts::plugin_enabled, false), ErrorCode::kConflict,
           "plugin \"nginx\" is disabled"},
      Case{container(), facts_with(&CreationFacts::zone_exists, false), ErrorCode::kNotFound,
           "zone \"default\" does not exist"},
      Case{container(), facts_with(&CreationFacts::address_free, false), ErrorCode::kResourceExhausted,
           "no free address"},
      Case{container(), facts_with(&CreationFacts::isolation_unavailable, "skerry-oci is missing"),
           ErrorCode::kUnsupported, "\"container\""},
  };
  for (const auto& [spec, facts, code, says] : cases) {
    const auto answer = admit_creation(spec, facts);
    ASSERT_FALSE(answer) << says;
    EXPECT_EQ(answer.error().code, code) << says;
    EXPECT_NE(answer.error().step.find(says), std::string::npos) << answer.error().step;
    EXPECT_EQ(answer.error().hint.empty(), code == ErrorCode::kInvalidArgument) << says;
  }
}

TEST(AdmitCreation, WhyAnIsolationCannotRunIsTheHint) {
  const auto answer =
      admit_creation(container(), facts_with(&CreationFacts::isolation_unavailable, "skerry-oci is missing"));
  EXPECT_EQ(answer.error().hint, "skerry-oci is missing");
}

// C103: the CPU may be overcommitted, the memory of VMs not.
TEST(AdmitCreation, MemoryOfVmsIsNotPromisedTwice) {
  const auto facts = memory(4096, 3072);
  EXPECT_TRUE(admit_creation(microvm(1024), facts));
  const auto answer = admit_creation(microvm(1025), facts);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kResourceExhausted);
  EXPECT_NE(answer.error().step.find("1025 MiB asked, 3072 of 4096"), std::string::npos) << answer.error().step;
}

TEST(AdmitCreation, CpuOfVmsMayBePromisedToMany) {
  auto spec = microvm(512);
  spec.resources.cpu_milli = 64 * kMilliPerCore;
  const auto admitted = admit_creation(spec, memory(4096, 0));
  EXPECT_TRUE(admitted) << "more than any host here has: shares of it: " << admitted.error().message();
}

TEST(AdmitStart, OneThatWasStoppedMayHaveLeftItsPlace) {
  EnvironmentViews all;
  for (const auto state : {State::kRunning, State::kStarting, State::kStopped, State::kPaused, State::kSuspended}) {
    Environment each;
    each.id = cat(all.size());
    each.spec = microvm(1000);
    each.status.state = state;
    all.push_back(std::make_shared<const Environment>(each));
  }
  EXPECT_EQ(promised_memory_mib(all, {}), 3000U) << "what is on disk has none";
  EXPECT_EQ(promised_memory_mib(all, "1"), 2000U) << "not to itself";
  EXPECT_TRUE(admit_memory(microvm(1000), 2000, 3000));
  EXPECT_EQ(admit_memory(microvm(1000), 2000, 2999).error().code, ErrorCode::kResourceExhausted);
}

TEST(AdmitCreation, MemoryOfContainersIsALimitNotAPromise) {
  auto spec = container();
  spec.resources.memory_mib = 8192;
  EXPECT_TRUE(admit_creation(spec, memory(4096, 4096)));
}

}  // namespace
}  // namespace skerry
