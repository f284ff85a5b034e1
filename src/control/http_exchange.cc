#include "control/http_exchange.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/fd.h"
#include "base/text.h"

namespace skerry {
namespace {

// Where a microVM's agent carries connections to the workload's base_url (agent/proxy.h).
constexpr std::uint16_t kAgentProxyPort = 8080;
// How soon a client that hung up is noticed.
constexpr Duration kLookAgain = std::chrono::milliseconds(200);

std::string request_text(const HttpQuestion& question) {
  std::string text = cat(question.method, " ", question.target.path, " HTTP/1.0\r\nHost: ", question.target.ip,
                         "\r\nUser-Agent: skerry\r\nAccept: */*\r\nConnection: close\r\n");
  for (const auto& [name, value] : question.headers) text += cat(name, ": ", value, "\r\n");
  if (!question.content_type.empty()) text += cat("Content-Type: ", question.content_type, "\r\n");
  const bool has_body = !question.body.empty() || question.method == "POST" || question.method == "PUT";
  if (has_body) text += cat("Content-Length: ", question.body.size(), "\r\n");
  return cat(text, "\r\n", question.body);
}

// Moves bytes whenever the socket is ready, until the other side has ended its answer.
class Exchange {
 public:
  Exchange(int socket, const HttpQuestion& question, MonoTime deadline, const std::function<bool()>& cancelled)
      : socket_(socket),
        request_(request_text(question)),
        most_bytes_(question.most_bytes),
        deadline_(deadline),
        cancelled_(cancelled) {}

  Result<std::string> run() {
    while (true) {
      const MonoTime now = SystemClock().monotonic();
      if (now >= deadline_) return fail(ErrorCode::kDeadlineExceeded, "the workload did not answer in time");
      if (cancelled_ && cancelled_()) return fail(ErrorCode::kCancelled, "the client gave up");
      const short events = static_cast<short>(sent_ < request_.size() ? POLLIN | POLLOUT : POLLIN);
      pollfd poller{socket_, events, 0};
      const auto patience =
          std::chrono::duration_cast<std::chrono::milliseconds>(std::min(deadline_ - now, kLookAgain));
      const int ready = ::poll(&poller, 1, static_cast<int>(patience.count()) + 1);
      if (ready < 0 && errno != EINTR) return fail_errno("poll");
      if (ready <= 0) continue;
      if ((poller.revents & POLLOUT) != 0) TRY(send_some());
      if ((poller.revents & (POLLIN | POLLHUP | POLLERR)) != 0 && TRY(receive_some())) return std::move(answer_);
    }
  }

 private:
  Status send_some() {
    const auto sent = ::send(socket_, request_.data() + sent_, request_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
      // It may have answered before it had read everything.
      if (errno != EPIPE && errno != ECONNRESET) return fail_errno("send the request");
      sent_ = request_.size();
    }
    if (sent > 0) sent_ += static_cast<std::size_t>(sent);
    return {};
  }

  // True at the end of the answer.
  Result<bool> receive_some() {
    std::string chunk(64U << 10U, '\0');
    const auto got = ::recv(socket_, chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    // One that does not read the request to its end resets the connection behind its answer: what has come is told
    // whole by its length, or as one without a length that just ends.
    if (got < 0 && errno == ECONNRESET && !answer_.empty()) return true;
    if (got < 0) return fail(Error{ErrorCode::kUnavailable, errno, "the workload broke the connection off", {}});
    answer_.append(chunk.data(), static_cast<std::size_t>(got));
    if (answer_.size() > most_bytes_) {
      return fail(ErrorCode::kResourceExhausted, cat("the answer is longer than ", most_bytes_, " bytes"));
    }
    return got == 0;
  }

  int socket_;
  std::string request_;
  std::size_t most_bytes_;
  std::size_t sent_ = 0;
  std::string answer_;
  MonoTime deadline_;
  const std::function<bool()>& cancelled_;
};

}  // namespace

Result<ProbeTarget> workload_target(const Environment& environment, std::string_view path) {
  const auto& spec = environment.spec;
  if (spec.base_url.empty()) {
    return fail(ErrorCode::kConflict, cat("\"", spec.name, "\" says nowhere that its workload serves HTTP"),
                "name it when you create it, as base_url: \"http://127.0.0.1:80\"");
  }
  if (environment.ip.empty()) return fail(ErrorCode::kConflict, cat("\"", spec.name, "\" has no network"));
  if (spec.isolation == Isolation::kMicrovm) return ProbeTarget{environment.ip, kAgentProxyPort, std::string(path)};
  auto target = TRY_IN("base_url", parse_probe_endpoint(environment.ip, spec.base_url));
  if (target.path.ends_with('/')) target.path.pop_back();
  target.path += path;
  return target;
}

Result<HttpAnswer> ask_http(const HttpQuestion& question, Duration timeout, const std::function<bool()>& cancelled) {
  const MonoTime deadline = SystemClock().monotonic() + timeout;
  const Fd socket = TRY(connect_to_workload(question.target, timeout));
  const auto asked = question.method == "HEAD" ? HttpAsked::kHead : HttpAsked::kWhole;
  return parse_http_answer(TRY(Exchange(socket.get(), question, deadline, cancelled).run()), asked);
}

}  // namespace skerry
