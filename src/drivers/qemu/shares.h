// Shares: directories and files of the host that one guest sees, served by a process of its own in a jail of its own
// (share_jail.h) beside the VMM's.
//
//   run_dir/shares/      its place: root file system, keeper's files, log
//   jail id ID-shares
//
// QEMU and the server speak vhost-user over one connected socket, and the server maps the guest's memory: so the memory
// is a shared file, and such a guest can be neither forked from a template nor saved with its memory (vhost-user-fs of
// QEMU 7.2 cannot be migrated). The server ends with the VMM.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "drivers/driver.h"
#include "drivers/jail.h"
#include "drivers/qemu/share_jail.h"

namespace skerry::qemu {

// What it is called where its end is told.
inline constexpr const char* kShareServer = "the server of the host's directories";

// The place of the server of this environment's shares.
EnvironmentPlace shares_place(const EnvironmentPlace& place);
bool has_shares(const EnvironmentPlace& place);

// A bind mount of what a user named, with everything mounted below it. kNotFound when it is not there; kUnsupported
// when it is neither a directory nor a file: a guest has a kernel of its own, sockets and devices are not seen through
// it.
Result<oci::Mount> share_of(const BindMount& mount);

// Starts the server. The socket is QEMU's end. What is left of a failure stop_shares() removes.
Result<Fd> start_shares(Jail& jail, const EnvironmentPlace& place, ShareJailInputs inputs);
// The server, as a companion of its VMM: without it the guest would hang at its next look into a share.
Result<KeeperCompanion> share_server(const EnvironmentPlace& place);
// Ends the server and removes its jail; nothing to remove is fine. Its files go with run_dir.
Status stop_shares(const Jail& jail, const EnvironmentPlace& place);

}  // namespace skerry::qemu
