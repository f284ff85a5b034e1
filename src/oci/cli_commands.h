// The commands, as a table; internal to cli*.cc.
#pragma once

#include <span>
#include <string_view>

#include "oci/cli_args.h"
#include "oci/runtime.h"

namespace skerry::oci {

struct Command {
  std::string_view name;
  std::string_view arguments;  // "ID", for the usage line
  std::string_view help;
  std::span<const Option> options;
  // The exit code, or an error that is reported with code 1 (126 and 127 for programs that cannot be executed).
  Result<int> (*run)(Runtime& runtime, const Arguments& arguments);
};

std::span<const Command> lifecycle_commands();   // cli_lifecycle.cc: create, start, run, exec, kill, delete
std::span<const Command> inspection_commands();  // cli_inspection.cc: state, list, ps, events, features, spec
std::span<const Command> management_commands();  // cli_management.cc: pause, resume, update, checkpoint, restore

// Exactly one argument, the container's id.
Result<std::string> only_id(const Arguments& arguments);
// To standard output; a closed one is an error.
Status print(std::string_view text);

}  // namespace skerry::oci
