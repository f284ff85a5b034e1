#include "cli/http_client.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/text.h"
#include "base/unix_socket.h"
#include "wire/problem.h"

namespace skerry::cli {
namespace {

constexpr std::size_t kMaxLine = 8U << 10U;
constexpr std::size_t kMaxHeaders = 64;
constexpr std::size_t kMaxBody = 64U << 20U;
constexpr std::size_t kMaxProblem = 64U << 10U;

auto not_http() { return fail(ErrorCode::kCorrupt, "the daemon's answer is not HTTP"); }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& letter : out) letter = static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter);
  return out;
}

bool is_success(int status) { return status >= 200 && status < 300; }

}  // namespace

Status HttpClient::connect() {
  disconnect();
  buffer_.clear();
  lost_ = false;
  if (!endpoint_.tcp) return connect_unix();
  link_ = TRY(connect_tcp(endpoint_));
  socket_ = std::move(link_.socket);
  return {};
}

Status HttpClient::connect_unix() {
  auto socket = unix_connect(endpoint_.socket_path);
  if (!socket) {
    auto error = std::move(socket).error();
    if (error.code == ErrorCode::kPermissionDenied) {
      return fail(ErrorCode::kPermissionDenied, cat("no permission for ", endpoint_.socket_path),
                  "become root or a member of the group that owns it");
    }
    return fail(ErrorCode::kUnavailable, cat("skerryd does not answer on ", endpoint_.socket_path),
                "start it with: skerryd, or name its socket with --socket");
  }
  socket_ = std::move(*socket);
  return {};
}

void HttpClient::disconnect() {
  if (!socket_) return;
  ::shutdown(socket_.get(), SHUT_RDWR);
  socket_.reset();
  // It ends by itself now; waited for, so that it does not stay behind as a zombie.
  if (link_.carrier) static_cast<void>(link_.carrier->wait(std::chrono::seconds(2)));
  link_ = {};
}

Status HttpClient::send(std::string_view method, std::string_view target, std::string_view body,
                        std::string_view extra) {
  std::string request = cat(method, " ", target, " HTTP/1.1\r\nHost: ", endpoint_.authority(), "\r\n", extra);
  if (!endpoint_.token.empty()) request += cat("Authorization: Bearer ", endpoint_.token, "\r\n");
  if (!body.empty()) request += "Content-Type: application/json\r\n";
  if (!body.empty() || method != "GET") request += cat("Content-Length: ", body.size(), "\r\n");
  request += "\r\n";
  request += body;
  for (std::size_t at = 0; at < request.size();) {
    const auto sent = ::send(socket_.get(), request.data() + at, request.size() - at, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return fail_lost("send to the daemon");
    at += static_cast<std::size_t>(sent);
  }
  return {};
}

// The daemon has gone, whatever errno calls it. (EPIPE would be taken for the reader of our output.)
Status HttpClient::fail_lost(std::string_view what) {
  const int error = errno;
  lost_ = true;
  if (error == EPIPE || error == ECONNRESET) return fail_closed();
  errno = error;
  return fail_errno(std::string(what));
}

Status HttpClient::fail_closed() {
  if (auto words = link_.last_words()) return fail(std::move(*words).in(cat("https://", endpoint_.authority())));
  return fail(ErrorCode::kUnavailable, "the daemon closed the connection", "is it still running? see its log");
}

Status HttpClient::fill() {
  std::array<char, 65536> chunk;
  while (true) {
    const auto got = ::read(socket_.get(), chunk.data(), chunk.size());
    const int error = errno;
    if (stop_ != nullptr && *stop_ != 0) return fail(ErrorCode::kCancelled, "interrupted");
    errno = error;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_lost("read from the daemon");
    if (got == 0) {
      lost_ = true;
      return fail_closed();
    }
    buffer_.append(chunk.data(), static_cast<std::size_t>(got));
    return {};
  }
}

Result<std::string> HttpClient::read_line() {
  while (true) {
    if (const auto end = buffer_.find("\r\n"); end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 2);
      return line;
    }
    if (buffer_.size() > kMaxLine) return not_http();
    TRY(fill());
  }
}

Result<HttpAnswer> HttpClient::read_head() {
  HttpAnswer answer;
  const std::string status_line = TRY(read_line());
  const auto words = split(status_line, ' ');
  if (words.size() < 2 || !words[0].starts_with("HTTP/1.")) return not_http();
  answer.status = TRY(parse_int<int>(words[1], "status"));
  for (std::size_t i = 0; i <= kMaxHeaders; ++i) {
    const std::string line = TRY(read_line());
    if (line.empty()) return answer;
    const auto colon = line.find(':');
    if (colon == std::string::npos) return not_http();
    answer.headers[lower(std::string_view(line).substr(0, colon))] = trim(std::string_view(line).substr(colon + 1));
  }
  return not_http();
}

Status HttpClient::read_exactly(std::size_t size, const Take& take) {
  while (size > 0) {
    if (buffer_.empty()) TRY(fill());
    const auto piece = std::min(size, buffer_.size());
    if (!take(std::string_view(buffer_).substr(0, piece))) return fail(ErrorCode::kCancelled, "stopped");
    buffer_.erase(0, piece);
    size -= piece;
  }
  return {};
}

Status HttpClient::read_chunks(const Take& take) {
  while (true) {
    const std::string line = TRY(read_line());
    std::size_t size = 0;
    const auto digits = std::string_view(line).substr(0, line.find(';'));
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), size, 16);
    if (error != std::errc{} || end == digits.data() || size > kMaxBody) return not_http();
    TRY(read_exactly(size, take));
    if (!TRY(read_line()).empty()) return not_http();
    if (size == 0) return {};
  }
}

Status HttpClient::read_body(const HttpAnswer& head, const Take& take) {
  if (head.status == 204 || head.status == 304) return {};
  if (const auto found = head.headers.find("transfer-encoding"); found != head.headers.end()) {
    if (lower(found->second) != "chunked") return not_http();
    return read_chunks(take);
  }
  const auto length = head.headers.find("content-length");
  if (length == head.headers.end()) return not_http();
  const auto size = TRY(parse_int<std::size_t>(length->second, "content length"));
  if (size > kMaxBody) return fail(ErrorCode::kResourceExhausted, "the daemon's answer is too large");
  return read_exactly(size, take);
}

Result<HttpAnswer> HttpClient::call(std::string_view method, std::string_view target, std::string_view body) {
  if (!socket_) TRY(connect());
  TRY(send(method, target, body, "Accept: application/json\r\n"));
  auto answer = TRY(read_head());
  std::string collected;
  TRY(read_body(answer, [&](std::string_view bytes) {
    collected += bytes;
    return collected.size() <= kMaxBody;
  }));
  answer.body = std::move(collected);
  if (const auto found = answer.headers.find("connection"); found != answer.headers.end() && found->second == "close") {
    disconnect();
  }
  return answer;
}

Result<HttpAnswer> HttpClient::expect(std::string_view method, std::string_view target, std::string_view body) {
  auto answer = TRY(call(method, target, body));
  if (!is_success(answer.status)) return fail(wire::parse_problem(answer.status, answer.body));
  return answer;
}

Status HttpClient::stream(std::string_view target, std::string_view accept, const Take& take) {
  TRY(connect());
  TRY(send("GET", target, {}, cat("Accept: ", accept, "\r\n")));
  const auto head = TRY(read_head());
  Status read;
  if (is_success(head.status)) {
    read = read_body(head, take);
  } else {
    std::string problem;
    TRY(read_body(head, [&](std::string_view bytes) {
      problem += bytes;
      return problem.size() <= kMaxProblem;
    }));
    read = fail(wire::parse_problem(head.status, problem));
  }
  disconnect();
  return read;
}

Status HttpClient::exchange(const Exchange& exchange) {
  TRY(connect());
  exchange.connected(socket_.get());
  TRY(send(exchange.method, exchange.target, exchange.body, exchange.headers));
  const auto answer = TRY(read_head());
  exchange.head(answer);
  TRY(read_body(answer, exchange.take));
  disconnect();
  return {};
}

Result<FrameChannel> HttpClient::upgrade(std::string_view target, std::string_view body) {
  if (!socket_) TRY(connect());
  TRY(send("POST", target, body, "Connection: Upgrade\r\nUpgrade: skerry-frames\r\n"));
  auto head = TRY(read_head());
  if (head.status != 101) {
    std::string problem;
    TRY(read_body(head, [&](std::string_view bytes) {
      problem += bytes;
      return problem.size() <= kMaxProblem;
    }));
    return fail(wire::parse_problem(head.status, problem));
  }
  FrameChannel channel;
  channel.socket = std::move(socket_);
  link_ = {};  // who carries it goes with the channel
  channel.parser.feed(std::exchange(buffer_, {}));
  channel.headers = std::move(head.headers);
  return channel;
}

std::string escape(std::string_view segment) { return percent_encode(segment); }

}  // namespace skerry::cli
