// The command line: from argv to a verb that is ready to run. CLI11 stays inside arguments*.cc.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/describe.h"
#include "cli/verbs.h"

namespace skerry::cli {

struct Invocation {
  Settings settings;
  // Unset: parsing has already said what there was to say (help, a usage error); `exit_code` tells how it ended.
  std::function<Outcome(const Session&)> verb;
  int exit_code = kExitSuccess;
  // Of verbs that take a command: the words behind the first "--", which are never ours. Unset: there was no "--".
  std::optional<std::vector<std::string>> behind_dashes;
};
Invocation parse_arguments(int argc, const char* const* argv);
// What it understands.
CommandText describe_command_line();

}  // namespace skerry::cli
