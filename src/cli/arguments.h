// The command line: from argv to a verb that is ready to run. CLI11 stays inside arguments*.cc.
#pragma once

#include <functional>

#include "cli/describe.h"
#include "cli/verbs.h"

namespace skerry::cli {

struct Invocation {
  Settings settings;
  // Unset: parsing has already said what there was to say (help, a usage error); `exit_code` tells how it ended.
  std::function<Outcome(const Session&)> verb;
  int exit_code = kExitSuccess;
};
Invocation parse_arguments(int argc, const char* const* argv);
// What it understands.
CommandText describe_command_line();

}  // namespace skerry::cli
