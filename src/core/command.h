// Command: the whole public interface that changes an environment. REST, CLI and MCP all parse into it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "core/environment.h"
#include "core/manifest.h"

namespace skerry {

// What can be asked of an existing environment. kExec changes no state but is admitted like the others.
enum class Verb : std::uint8_t {
  kStart,
  kStop,
  kRestart,
  kPause,
  kResume,
  kSuspend,
  kKill,
  kDelete,
  kForceDelete,
  kExec,
  kUpdate,
  kSave,     // a snapshot of it is taken
  kRestore,  // it becomes what a snapshot was
};
inline constexpr std::array kAllVerbs{Verb::kStart,   Verb::kStop, Verb::kRestart, Verb::kPause,       Verb::kResume,
                                      Verb::kSuspend, Verb::kKill, Verb::kDelete,  Verb::kForceDelete, Verb::kExec,
                                      Verb::kUpdate,  Verb::kSave, Verb::kRestore};
std::string_view to_text(Verb verb);

struct CreateCommand {
  EnvironmentSpec spec;
  bool start = true;  // and start it at once
  IsolationWish isolation_wish = IsolationWish::kOpen;
  RestartWish restart_wish = RestartWish::kOpen;
  ResourceWishes resource_wishes = {};
  // A directory that Driver::save() filled: its first run goes on from there, as somebody else. Only read.
  std::string saved = {};
};
struct VerbCommand {
  std::string name;
  Verb verb = Verb::kStart;
  std::uint32_t grace_ms = 10'000;  // kStop, kRestart: between the stop signal and SIGKILL
  int signal = 9;                   // kKill
  Resources resources;              // kUpdate
};
using Command = std::variant<CreateCommand, VerbCommand>;

}  // namespace skerry
