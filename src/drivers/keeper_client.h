// The driver's side of base/keeper_protocol.h: starts keepers, finds them again, talks to them.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/keeper_protocol.h"
#include "base/process.h"
#include "base/result.h"

namespace skerry {

// What a keeper gets besides its command line. Borrowed.
struct KeeperFds {
  const std::vector<SpawnSpec::InheritFd>& main;     // for the main process
  const std::vector<SpawnSpec::InheritFd>& runtime;  // for the runtime alone
  const Fd& client;                                  // its end of a first client's connection; invalid: none
};

// Runs `skerry-keeper run` until its report: the pid of the main process it made. preserve_fds, runtime_fds, attach_fd
// and sync_fd of the specification are chosen here. kUnavailable when the keeper went without a report,
// kDeadlineExceeded after `timeout`; else the error the keeper reported.
Result<pid_t> run_keeper(const std::string& program, KeeperRunSpec spec, const KeeperFds& given, Duration timeout);

// Who is behind a run directory now.
struct KeeperView {
  std::optional<KeeperPids> pids;  // as recorded; unset: no record, or one of an earlier boot
  std::optional<KeeperExit> exit;  // the run is over, and this is how
  Fd keeper;                       // pidfd; valid while the keeper lives
  Fd main;                         // pidfd; valid while the main process lives
};
Result<KeeperView> view_keeper(const std::string& run_dir);

// The first frame of an exec keeper's socket, its report, read without taking a byte behind it.
Status await_exec_report(int socket, Duration timeout);

// Ends (SIGKILL) every process whose command line says `--bundle BUNDLE`: keepers and runtimes that a killed daemon
// left in the middle of a create, of which no record tells. Returns when they are gone.
Status kill_strays(const std::string& bundle, Duration timeout);

}  // namespace skerry
