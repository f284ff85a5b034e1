// The container's terminal: a pseudo terminal from its own devpts, its master end handed to whoever asked for it.
#pragma once

#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "wire/oci_spec.h"

namespace skerry::oci {

struct Terminal {
  Fd master;
  Fd slave;
  std::string slave_path;  // inside the container: "/dev/pts/0"
};

// Opens /dev/pts/ptmx below `root_fd`, checks that it is one (device 5:2 on devpts) and gets the other end from it by
// TIOCGPTPEER(2const): never by a name that could have been swapped (CVE-2025-52565).
Result<Terminal> make_terminal(int root_fd, const std::optional<ConsoleSize>& size, uid_t uid);
// Binds the slave on /dev/console inside the root.
Status bind_console(int root_fd, int slave);
// Makes the slave descriptors 0, 1 and 2 of the caller.
Status use_terminal(int slave);
// Makes it the controlling terminal of the caller, who leads a session.
Status take_terminal(int slave);

// Hands the master over a connected socket, with its path as the message (as runc's console protocol does).
Status send_master(int socket, const Terminal& terminal);

}  // namespace skerry::oci
