#include "oci/console_socket.h"

#include "base/unix_socket.h"

namespace skerry::oci {

Result<Fd> connect_console(const Spec& spec, const std::string& socket_path) {
  auto console = TRY(open_run_console(spec, socket_path, true));
  return std::move(console.container_end);
}

Result<RunConsole> open_console(bool terminal, const std::string& socket_path, bool detach) {
  RunConsole out;
  if (!terminal) {
    if (socket_path.empty()) return out;
    return fail(ErrorCode::kInvalidArgument, "--console-socket is given, but /process/terminal is false");
  }
  if (!socket_path.empty()) {
    out.container_end = TRY_IN("--console-socket", unix_connect(socket_path));
    return out;
  }
  if (detach) {
    return fail(ErrorCode::kInvalidArgument,
                "/process/terminal: nobody would hold the terminal of a detached container", "give --console-socket");
  }
  auto pair = TRY(unix_pair());
  out.container_end = std::move(pair.first);
  out.runtime_end = std::move(pair.second);
  return out;
}

}  // namespace skerry::oci
