// Finding the program of a container's process inside its root file system, as execvp(3) would.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace skerry::oci {

// The path to execute, seen from the current root and directory with the current credentials.
// kCommandNotFound ("… executable file not found …") or kNotExecutable ("… permission denied …").
Result<std::string> find_executable(const std::string& name, const std::vector<std::string>& env);

}  // namespace skerry::oci
