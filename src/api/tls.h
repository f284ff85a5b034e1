// TLS for the TCP port: TLS 1.2 and newer, the certificate of this server, and where asked for, certificates of
// clients.
//
// A client certificate is asked for *in addition* to a token and gives no rights of its own: a stolen one opens
// nothing, and what a client may do is told, limited and revoked in one place, the tokens.
//
//   client ◀──TLS──▶ [handshake, then bytes both ways] ◀──a pair of sockets──▶ Session (connection.h)
//
// So sessions know nothing of TLS: their time limits, their notice of a client that hangs up and their frames are those
// of any connection. A handshake has the time of a request's header; when more than kMaxHandshakes are under way, the
// oldest is ended, so that clients that never finish theirs keep nobody out.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/asio.h"
#include "api/metrics.h"
#include "api/server.h"
#include "base/result.h"

namespace skerry::api {

class TlsFront {
 public:
  static constexpr std::size_t kMaxHandshakes = 256;

  // Reads the files. Errors name the file: not there, not PEM, a key that others can read or that is not the
  // certificate's, a certificate that is not valid now.
  static Result<std::unique_ptr<TlsFront>> create(const TlsFiles& files);
  ~TlsFront();
  TlsFront(const TlsFront&) = delete;
  TlsFront& operator=(const TlsFront&) = delete;

  // The names and addresses the certificate is for: what clients may say in Host. "*.example.org" among them stands for
  // one label.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

  // The server around its connections, and outliving them.
  struct Around {
    asio::io_context& io;
    const ApiConfig& config;  // the times
    Metrics& metrics;
  };
  // Shakes hands, then calls `begin` once with the session's end of the pair and carries bytes until either side ends.
  // On the I/O thread.
  asio::awaitable<void> serve(Around around, asio::ip::tcp::socket socket,
                              std::function<void(Stream::socket_type)> begin);

 private:
  class Carrier;
  explicit TlsFront(asio::ssl::context context);

  asio::ssl::context context_;
  std::vector<std::string> names_;
  std::list<std::weak_ptr<Carrier>> handshakes_;  // under way, the oldest first
};

// Whether `host` is one of the names. Letters of either case.
bool is_named(const std::vector<std::string>& names, std::string_view host);

}  // namespace skerry::api
