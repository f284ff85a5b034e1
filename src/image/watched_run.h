// Runs a tool of the host while somebody watches: it can be cancelled at any moment and never outlives us.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "base/process.h"
#include "base/result.h"

namespace skerry {

struct WatchedRun {
  ExitStatus status;
  std::string out;
  std::string err;
};

// Runs to the end and collects both outputs, each cut at `limit` bytes. `tick` is called about ten times a second; its
// error kills the tool and is the answer. The tool is killed too when this process dies (a daemon killed with -9 must
// not leave a download behind that nobody waits for). kCommandNotFound: the tool is not there.
Result<WatchedRun> run_watched(SpawnSpec spec, const std::function<Status(pid_t tool)>& tick, std::size_t limit);
Result<WatchedRun> run_watched(SpawnSpec spec, const std::function<Status()>& tick, std::size_t limit);

}  // namespace skerry
