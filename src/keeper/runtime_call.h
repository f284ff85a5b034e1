// One call of an OCI runtime that makes a process: `create`, or `exec --detach`.
#pragma once

#include <string>
#include <vector>

#include "base/process.h"
#include "base/result.h"
#include "keeper/process_stdio.h"

namespace skerry::keeper {

struct RuntimeCall {
  std::string runtime;
  std::vector<std::string> global_args;
  std::vector<std::string> subcommand;  // "create", … ; --pid-file and --console-socket are added behind it
  std::string id;
  std::string scratch_dir;                      // for runtime.log and runtime.pid
  std::string console_path;                     // given to the runtime when the stdio is a terminal
  std::vector<SpawnSpec::InheritFd> extra_fds;  // beside the stdio; passed on by --preserve-fds
  std::vector<int> own_fds;                     // for the runtime alone, under the same number
};

// Runs it to its end and returns the pid of the process it made, by then a child of this process (which must be a
// child subreaper, prctl(2)). A runtime that fails gives the error it logged; kCommandNotFound and kNotExecutable when
// the command in the container is the reason.
Result<pid_t> call_runtime(const RuntimeCall& call, ProcessStdio& stdio);

// Which of kCommandNotFound, kNotExecutable or kInternal a runtime's exit code and words mean.
ErrorCode classify_runtime_error(int exit_code, std::string_view message);

}  // namespace skerry::keeper
