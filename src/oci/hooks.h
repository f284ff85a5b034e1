// Lifecycle hooks (config.md "POSIX-platform Hooks"): programs of the host that run at fixed points, with the
// container's state on their standard input.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/oci_spec.h"

namespace skerry::oci {

// Runs them in order. The first one that fails (non-zero, killed, out of time) ends it with an error that names the
// hook and carries what it wrote to standard error.
Status run_hooks(const std::vector<Hook>& hooks, std::string_view kind, const std::string& state);
// poststart and poststop: a failure is logged as a warning and the next one runs.
std::vector<std::string> run_all_hooks(const std::vector<Hook>& hooks, std::string_view kind, const std::string& state);

}  // namespace skerry::oci
