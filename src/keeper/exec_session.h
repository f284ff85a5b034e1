// `skerry-keeper exec`: one more process in a running container, for one connection (KeeperExecSpec).
#pragma once

#include "base/keeper_protocol.h"

namespace skerry::keeper {

// Runs to the end of the process, or of the connection. The result is what went wrong with the keeper itself; that the
// process could not be started is told to the peer.
Status run_exec_session(const KeeperExecSpec& spec);

}  // namespace skerry::keeper
