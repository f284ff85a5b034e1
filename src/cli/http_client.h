// HttpClient: HTTP/1.1 over skerryd's unix socket, or TCP (endpoint.h), blocking; small, so that a command starts fast.
// One request at a time; the connection is kept for the next one.
//
// Answers are bounded: 8 KiB-lines in the header (64 of them), 64 MiB of body. kUnavailable when the daemon does not
// run or goes away, kCorrupt when what it says is not HTTP.
#pragma once

#include <csignal>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/frame.h"
#include "base/result.h"
#include "cli/endpoint.h"

namespace skerry::cli {

struct HttpAnswer {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

// A connection that has become a conversation in frames (session 0).
struct FrameChannel {
  Fd socket;
  FrameParser parser;  // with what already came
  std::map<std::string, std::string> headers;
};

class HttpClient {
 public:
  explicit HttpClient(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}
  explicit HttpClient(std::string socket_path) { endpoint_.socket_path = std::move(socket_path); }
  ~HttpClient() { disconnect(); }
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }

  // Any status is an answer. `body` is JSON or empty.
  Result<HttpAnswer> call(std::string_view method, std::string_view target, std::string_view body = {});
  // An answer with status 2xx; every other is the error it tells of.
  Result<HttpAnswer> expect(std::string_view method, std::string_view target, std::string_view body = {});
  // GET, whose body is given to `take` as it comes; `take` says whether to go on. The connection is closed after.
  using Take = std::function<bool(std::string_view bytes)>;
  Status stream(std::string_view target, std::string_view accept, const Take& take);
  // Any request, with header lines of the caller's ("Accept: …\r\n"), on a connection of its own. `connected` gets the
  // socket, to shut it down from another thread; `head` the answer without its body; `take` the body as it comes.
  struct Exchange {
    std::string_view method, target, headers, body;
    std::function<void(int socket)> connected;
    std::function<void(const HttpAnswer& answer)> head;
    Take take;
  };
  Status exchange(const Exchange& exchange);
  // A signal handler sets `flag`: the call that reads then ends with kCancelled.
  void stop_when(const volatile std::sig_atomic_t* flag) { stop_ = flag; }
  // POST with "Upgrade: skerry-frames".
  Result<FrameChannel> upgrade(std::string_view target, std::string_view body);

  // Whether the connection broke after a request had begun to go out: it may have been carried out.
  [[nodiscard]] bool lost() const { return lost_; }

 private:
  Status connect();
  Status connect_unix();
  // Ends the connection and who carries it, also for those that have a copy of the socket.
  void disconnect();
  Status send(std::string_view method, std::string_view target, std::string_view body, std::string_view extra);
  // Reads status line and header into the answer.
  Result<HttpAnswer> read_head();
  Status read_body(const HttpAnswer& head, const Take& take);
  Status read_chunks(const Take& take);
  Result<std::string> read_line();
  // Hands `size` bytes of the body to `take`.
  Status read_exactly(std::size_t size, const Take& take);
  Status fill();
  Status fail_lost(std::string_view what);
  // The daemon has closed the connection; over TLS with the reason.
  Status fail_closed();

  Endpoint endpoint_;
  Link link_;  // of TCP; its socket is below
  Fd socket_;
  std::string buffer_;  // read but not used
  const volatile std::sig_atomic_t* stop_ = nullptr;
  bool lost_ = false;
};

// For one path segment: everything but letters, digits, '-', '.', '_' and '~' as %XX (RFC 3986 section 2.3).
std::string escape(std::string_view segment);

}  // namespace skerry::cli
