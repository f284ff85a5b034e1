#include "control/probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/sys_file.h"
#include "base/text.h"
#include "control/deadline.h"
#include "core/net.h"
#include "wire/http_answer.h"

namespace skerry {
namespace {

Result<Fd> connect_to(const ProbeTarget& target, const Deadline& deadline) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(target.port);
  address.sin_addr.s_addr = htonl(TRY(Ipv4::parse(target.ip)).value);
  const std::string step = cat("connect to ", target.ip, ":", target.port);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return socket;
  if (errno != EINPROGRESS) return fail_errno(step);
  TRY_IN(step, deadline.await(socket.get(), POLLOUT));
  int err = 0;
  socklen_t size = sizeof err;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &err, &size) < 0) return fail_errno(step);
  if (err != 0) return fail(Error::from_errno(err, step));
  return socket;
}

// Until the end of the first line.
Result<std::string> read_status_line(int socket, const Deadline& deadline) {
  std::string answer;
  while (answer.find('\n') == std::string::npos && answer.size() < kMaxProbeAnswer) {
    TRY(deadline.await(socket, POLLIN));
    char buffer[512];
    const ssize_t got = ::recv(socket, buffer, sizeof buffer, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got < 0) return fail_errno("read the answer");
    if (got == 0) break;
    answer.append(buffer, static_cast<std::size_t>(got));
  }
  return answer;
}

}  // namespace

Result<ProbeTarget> parse_probe_endpoint(const std::string& ip, std::string_view endpoint) {
  ProbeTarget target;
  target.ip = ip;
  const std::string quoted = cat("health check endpoint \"", endpoint.substr(0, 80), "\"");
  if (endpoint.find_first_of(" \r\n\t") != std::string_view::npos) {
    return fail(ErrorCode::kInvalidArgument, cat(quoted, ": holds white space"));
  }
  if (endpoint.starts_with("https://")) return fail(ErrorCode::kInvalidArgument, cat(quoted, ": https is not probed"));
  constexpr std::string_view kScheme = "http://";
  if (endpoint.starts_with(kScheme)) {
    endpoint.remove_prefix(kScheme.size());
    endpoint.remove_prefix(std::min(endpoint.find_first_of(":/"), endpoint.size()));
  }
  if (endpoint.starts_with(':')) endpoint.remove_prefix(1);
  const auto slash = std::min(endpoint.find('/'), endpoint.size());
  if (slash > 0) target.port = TRY_IN(quoted, parse_int<std::uint16_t>(endpoint.substr(0, slash), "port"));
  if (slash < endpoint.size()) target.path = endpoint.substr(slash);
  if (target.port == 0) return fail(ErrorCode::kInvalidArgument, cat(quoted, ": port 0"));
  return target;
}

Status probe_http(const ProbeTarget& target, Duration timeout) {
  const Deadline deadline(timeout);
  const Fd socket = TRY(connect_to(target, deadline));
  const std::string request = cat("GET ", target.path, " HTTP/1.1\r\nHost: ", target.ip,
                                  "\r\nUser-Agent: skerry-health\r\nAccept: */*\r\nConnection: close\r\n\r\n");
  // Smaller than any socket buffer: it goes out at once.
  TRY(sys::write_all(socket.get(), request));
  const std::string answer = TRY(read_status_line(socket.get(), deadline));
  const int status = TRY(parse_status_line(answer));
  if (status < 200 || status > 399) return fail(ErrorCode::kUnavailable, cat("HTTP status ", status));
  return {};
}

Result<Fd> connect_to_workload(const ProbeTarget& target, Duration timeout) {
  return connect_to(target, Deadline(timeout));
}

Status probe_tcp(const ProbeTarget& target, Duration timeout) {
  TRY(connect_to(target, Deadline(timeout)));
  return {};
}

}  // namespace skerry
