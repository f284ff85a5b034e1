#include "network/host_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/fd.h"
#include "base/text.h"
#include "core/net.h"

namespace skerry::network {

Status check_host_port(const PublishedPort& port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port.host_port);
  if (!port.host_ip.empty()) address.sin_addr.s_addr = htonl(TRY(Ipv4::parse(port.host_ip)).value);
  const Fd probe(::socket(AF_INET, (port.protocol == Protocol::kUdp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0));
  if (!probe) return fail_errno("open a socket");
  // Connections that have ended (TIME_WAIT) do not count, listeners do. For UDP the option would share the port.
  const int on = 1;
  if (port.protocol == Protocol::kTcp) ::setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return {};
  if (errno == EADDRINUSE) {
    return fail(ErrorCode::kConflict,
                cat("port ", port.host_port, "/", to_text(port.protocol), " of the host is in use by another program"),
                "publish on another port, or stop that program (ss -lnp shows it; skerryd's own API has 127.0.0.1:8080 "
                "unless --listen says otherwise)");
  }
  if (errno == EADDRNOTAVAIL) {
    return fail(ErrorCode::kInvalidArgument, cat("publish on ", port.host_ip, ": this host has no such address"));
  }
  return fail_errno(cat("look at port ", port.host_port));
}

}  // namespace skerry::network
