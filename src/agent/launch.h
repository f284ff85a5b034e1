// Starting one process in the guest: the workload or an exec session.
//
// The process leads a session of its own, has the user, groups, umask, working directory, environment and capability
// bounds that are asked for, and its stdio on pipes or on a new terminal. Errors between fork and exec come back with
// the failing step: kCommandNotFound when the program does not exist, kNotExecutable when it cannot be run.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "wire/agent_protocol.h"

namespace skerry::agent {

struct Launched {
  pid_t pid = -1;
  // Our ends, non-blocking. With a terminal `input` and `output` are both its master and `error` is not valid. Without
  // stdin_open `input` is not valid and the process reads /dev/null.
  Fd input;
  Fd output;
  Fd error;
};

struct LaunchPlace {
  std::string root = "/";  // where /etc/passwd and /etc/group are read; for tests
  std::string cgroup;      // cgroup2 directory the process enters; empty: stays in ours
  int terminal = -1;       // an open one that it gets, with process.terminal; -1: a new one. Launched has no ends of it
};

Result<Launched> launch(const wire::GuestProcess& process, const LaunchPlace& place = {});

// Whether its program is there and can be executed, as launch() would find it: kCommandNotFound, kNotExecutable.
Status check_program(const wire::GuestProcess& process);

// The environment the process gets: what is asked for, with PATH, HOME, HOSTNAME and (with a terminal) TERM filled in
// where they are missing. The last entry of a name counts.
std::vector<std::string> complete_environment(const std::vector<std::string>& asked, const std::string& home,
                                              const std::string& hostname, bool terminal);

// Bits of the capabilities (capabilities(7)) the process may not have: those named in `drop` without those in `keep`.
// "ALL" drops every one. kInvalidArgument names an unknown one.
Result<std::uint64_t> dropped_capabilities(const std::vector<std::string>& drop, const std::vector<std::string>& keep);

}  // namespace skerry::agent
