// What is to run: from the run configuration, the SKERRY_* variables and the command line, the later over the earlier.
#pragma once

#include "cli/verbs.h"
#include "core/environment.h"

namespace skerry::cli {

// kInvalidArgument names the flag, the variable or the field of the file.
Result<EnvironmentSpec> resolve_spec(const RunOptions& options);

}  // namespace skerry::cli
