// The command line face of a Runtime. See cli_args.h for the grammar; `skerry-oci --help` lists the commands.
//
// It knows nothing about how containers are made: the engine is given as a function from the global options to a
// Runtime, so that another engine wears the same face.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "oci/cli_log.h"
#include "oci/linux_runtime.h"
#include "oci/runtime.h"

namespace skerry::oci {

using RuntimeFactory = std::function<std::unique_ptr<Runtime>(RuntimeOptions)>;

struct Face {
  std::string program;   // "skerry-oci"
  std::string features;  // what `--version` lists: "+seccomp +cgroup2 …"
  RuntimeFactory make_runtime;
};

// Runs one command; the process's exit code.
int run_command_line(const Face& face, const std::vector<std::string>& words);

}  // namespace skerry::oci
