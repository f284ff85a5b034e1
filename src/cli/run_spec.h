// What is to run: from the run configuration, the SKERRY_* variables and the command line, the later over the earlier.
#pragma once

#include "cli/verbs.h"
#include "core/command.h"

namespace skerry::cli {

// With what was said of isolation and restarts, and what was left open: that is for a plugin to fill. kInvalidArgument
// names the flag, the variable or the field of the file.
Result<CreateCommand> resolve_command(const RunOptions& options);

}  // namespace skerry::cli
