#include "agent/vsock.h"

#include <sys/socket.h>
// Needs the socket header before it.
#include <linux/vm_sockets.h>

#include "agent/look_for.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::agent {
namespace {

Result<Fd> try_connect(std::uint32_t port) {
  Fd socket(::socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("vsock");
  sockaddr_vm host{};
  host.svm_family = AF_VSOCK;
  host.svm_cid = VMADDR_CID_HOST;
  host.svm_port = port;
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&host), sizeof host) < 0) {
    return fail_errno(cat("connect to port ", port, " of the host"));
  }
  TRY(sys::set_nonblocking(socket.get()));
  return socket;
}

}  // namespace

Result<std::uint32_t> parse_vsock_channel(std::string_view text) {
  constexpr std::string_view kKind = "vsock:";
  if (!text.starts_with(kKind))
    return fail(ErrorCode::kInvalidArgument, cat("channel \"", text, "\" is not vsock:PORT"));
  return parse_int<std::uint32_t>(text.substr(kKind.size()), "channel");
}

Result<Fd> connect_to_host(std::uint32_t port, Duration patience) {
  return look_for(patience, [port] { return try_connect(port); });
}

}  // namespace skerry::agent
