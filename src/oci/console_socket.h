// Where a terminal's master end goes: to a caller's socket (--console-socket), or to ourselves in the foreground.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "wire/oci_spec.h"

namespace skerry::oci {

// `create`: connects to the caller's socket. Terminal and socket must go together.
Result<Fd> connect_console(const Spec& spec, const std::string& socket_path);

struct RunConsole {
  Fd container_end;  // for the container's first process
  Fd runtime_end;    // we get the master here; unset when somebody else does, or without a terminal
};
// `run` and `exec`: in the foreground without a socket of the caller the runtime itself passes the terminal's bytes on.
Result<RunConsole> open_console(bool terminal, const std::string& socket_path, bool detach);
inline Result<RunConsole> open_run_console(const Spec& spec, const std::string& socket_path, bool detach) {
  return open_console(spec.process && spec.process->terminal, socket_path, detach);
}

}  // namespace skerry::oci
