// Where the daemon is, and how it is reached: its unix socket on this host, or HTTP(S) on a TCP port.
//
// Over TCP the daemon knows us by a token. It comes from SKERRY_TOKEN or a file, never from the command line (other
// users of the host see that) and never from a URL. Without TLS only this host is asked: a token must not travel in
// clear.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/process.h"
#include "base/result.h"

namespace skerry::cli {

struct TcpEndpoint {
  std::string host;  // name or address; IPv6 without brackets
  std::uint16_t port = 0;
  bool tls = true;
  bool operator==(const TcpEndpoint&) const = default;
};

struct Endpoint {
  std::string socket_path = "/run/skerry/skerryd.sock";
  std::optional<TcpEndpoint> tcp;  // instead of the socket
  std::string ca_file;             // who may have signed the daemon's certificate; empty: whom this host trusts
  std::string certificate_file;    // ours, for a daemon that asks for one
  std::string key_file;
  std::string token;

  // What stands in Host.
  [[nodiscard]] std::string authority() const;
};

// "https://HOST[:PORT]" or, for this host itself, "http://HOST[:PORT]"; the port is 443 or 80 unless it is named.
// kInvalidArgument says what is wrong: a path, a user or a token in it, another scheme, http to another host.
Result<TcpEndpoint> parse_host_url(const std::string& url);

// The first line of the file. kInvalidArgument when it is empty or others than its owner may read it.
Result<std::string> read_token(const std::string& path);

// A connection over TCP. With TLS the bytes go through a process of ours (skerry-tls), so that everything that talks
// to the daemon has a plain socket; it ends with the connection.
//
//   us ◀──a pair of sockets──▶ skerry-tls ◀──TLS, the certificate and the name in it verified──▶ skerryd
struct Link {
  Fd socket;
  Fd report;  // of skerry-tls; what went wrong later is read from it
  std::optional<Child> carrier;

  // What skerry-tls said of the end of the connection; empty: nothing, or it is not one of its connections.
  [[nodiscard]] std::optional<Error> last_words() const;
};
// Errors: kUnavailable (nobody answers), kPermissionDenied (the certificate is not to be trusted), kInvalidArgument
// (files).
Result<Link> connect_tcp(const Endpoint& endpoint);

}  // namespace skerry::cli
