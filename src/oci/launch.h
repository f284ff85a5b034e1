// The runtime's side of making a container's first process: cloning it, answering it, until it is ready.
#pragma once

#include <optional>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "oci/init.h"
#include "oci/seccomp_listener.h"

namespace skerry::oci {

// A SOCK_SEQPACKET pair: what the two sides of status_message.h talk over.
struct StatusPair {
  Fd runtime;
  Fd child;
};
Result<StatusPair> make_status_pair();

struct Launched {
  pid_t pid = -1;
  Fd pidfd;   // owner: the runtime
  Fd status;  // the runtime's end of the status socket
};

// Clones the process (through a staging process where the namespaces demand it). Whoever gets this value has to end the
// process when something fails later.
Result<Launched> launch(const InitPlan& plan);

// Serves its messages until kReady: id maps, runtime hooks (`state` is their input), failures.
Status wait_until_ready(const Launched& launched, const InitPlan& plan);

// After the go: nothing more comes when the program was executed; otherwise why not. `target`: where a seccomp listener
// goes. With a deadline it fails with kDeadlineExceeded.
Status wait_until_executed(const Launched& launched, const std::string& program, const ListenerTarget& target,
                           std::optional<MonoTime> deadline = std::nullopt);

// SIGKILL and reap.
void abandon(const Launched& launched);

}  // namespace skerry::oci
