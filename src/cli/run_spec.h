// What is to run: from the run configuration, the SKERRY_* variables and the command line, the later over the earlier.
#pragma once

#include "cli/verbs.h"
#include "core/environment.h"
#include "core/manifest.h"

namespace skerry::cli {

// kInvalidArgument names the flag, the variable or the field of the file.
Result<EnvironmentSpec> resolve_spec(const RunOptions& options);
// Whether somebody said how strongly to isolate: a plugin that can only be a microVM asks.
IsolationWish isolation_wish(const RunOptions& options);

}  // namespace skerry::cli
