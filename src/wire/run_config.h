// The run configuration: the JSON file of `skerry run --config`.
//
//   {"name","hostname","image" | "rootfs_path","command","args","env":{},"workdir",
//    "resources":{"memory_limit_mb","cpu_limit","process_limit"},
//    "security":{"readonly_rootfs","user_namespace","user","drop_capabilities","add_capabilities","seccomp_profile",
//                "allow_new_privileges","bind_mounts":[{"source","target","readonly"}],"tmpfs":[{"target","size_mb"}]},
//    "network":{"zone","ports":["8080:80"],"dns":[]},"isolation","kind","restart","plugin","health_check","labels"}
//
// `command` is the program, as a string, or with its arguments, as an array; `args` follow it. An unknown or wrong
// field is kInvalidArgument that names its path.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "core/command.h"

namespace skerry::wire {

inline constexpr std::size_t kMaxRunConfig = 1U << 20U;

// `default_isolation`, here and below: what it is when the file does not say.
Result<EnvironmentSpec> parse_run_config(std::string_view json, Isolation default_isolation = Isolation::kContainer);

// A configuration file in either of its two forms: the one above, or the body of POST /environments. Which one it is,
// the fields tell that only one of them has; a file without any reads the same as both.
Result<CreateCommand> parse_any_config(std::string_view json, Isolation default_isolation = Isolation::kContainer);
// The same as the `config` of a deployment: a creation request without a name, which the replicas get from it.
Result<std::string> deployment_config(std::string_view json);

}  // namespace skerry::wire
