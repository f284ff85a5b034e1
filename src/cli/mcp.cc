// skerry mcp: a bridge between the protocol's stdio transport (a message a line) and skerryd's /mcp (a message a
// request).
//
//   stdin ─▶ main thread ─┬─▶ a thread for each request ─▶ POST /mcp ─▶ answer or stream ─┐
//                         └─ cancelled: that connection is shut down                      ▼
//   stdout ◀──────────────────────────────── whole lines, one at a time ◀─────────────────┘
//
// It keeps nothing but what HTTP needs and lines do not say: the session's id and the revision of a handshake, and
// which requests are under way. Every request has a connection of its own, so a restarted daemon is found again.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "base/base64.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "cli/verbs.h"
#include "wire/json_rpc.h"
#include "wire/problem.h"

namespace skerry::cli {
namespace {

using wire::RpcCode;
using wire::RpcMessage;

constexpr std::string_view kPath = "/mcp";
constexpr std::size_t kMaxUnderWay = 64;
// The one request without an end: a stream of what changes.
constexpr std::string_view kEndless = "subscriptions/listen";

// A value as a header can carry it: plain, or as =?base64?…?=.
std::string header_value(std::string_view text) {
  const bool visible = std::ranges::all_of(text, [](char letter) { return letter >= ' ' && letter <= '~'; });
  const bool padded = text.empty() || text.front() == ' ' || text.back() == ' ';
  if (visible && !padded && !text.starts_with("=?base64?")) return std::string(text);
  return cat("=?base64?", base64_encode(text), "?=");
}

// The messages of a stream of server-sent events, as they come.
class EventParser {
 public:
  explicit EventParser(std::function<void(std::string_view)> take) : take_(std::move(take)) {}
  bool feed(std::string_view bytes) {
    buffer_ += bytes;
    for (auto end = buffer_.find('\n'); end != std::string::npos; end = buffer_.find('\n')) {
      const std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      constexpr std::string_view kData = "data: ";
      if (line.starts_with(kData)) take_(std::string_view(line).substr(kData.size()));
    }
    return buffer_.size() <= 2 * wire::kMaxRpcMessage;
  }

 private:
  std::function<void(std::string_view)> take_;
  std::string buffer_;
};

class Bridge {
 public:
  Bridge(Endpoint endpoint, const McpOptions& options) : endpoint_(std::move(endpoint)) {
    rights_ = cat("Skerry-Role: ", options.role, "\r\n");
    if (!options.zones.empty()) rights_ += cat("Skerry-Zones: ", header_value(join(options.zones, ",")), "\r\n");
  }

  Outcome run() {
    std::string buffer;
    std::string chunk(64U << 10U, '\0');
    while (true) {
      const auto got = ::read(STDIN_FILENO, chunk.data(), chunk.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      buffer.append(chunk, 0, static_cast<std::size_t>(got));
      for (auto end = buffer.find('\n'); end != std::string::npos; end = buffer.find('\n')) {
        handle(std::string_view(buffer).substr(0, end));
        buffer.erase(0, end + 1);
      }
      // Without an end it cannot be told where the next one begins.
      if (buffer.size() > wire::kMaxRpcMessage) return fail(ErrorCode::kResourceExhausted, "a message is too long");
    }
    leave();
    return kExitSuccess;
  }

 private:
  struct UnderWay {
    std::mutex mutex;
    Fd socket;  // to shut down
    bool cancelled = false;
    bool endless = false;  // its answer never comes
  };

  void handle(std::string_view line) {
    if (trim(line).empty()) return;
    auto message = wire::parse_rpc(line);
    if (!message) return write(wire::rpc_fault(message.error()));
    switch (message->kind) {
      case RpcMessage::Kind::kResponse: return;  // we ask nothing
      case RpcMessage::Kind::kNotification: return notify(*message, line);
      case RpcMessage::Kind::kRequest: break;
    }
    // The answer to a handshake says what the messages behind it have to carry.
    if (message->method == "initialize")
      return serve(*message, line, headers_of(*message), std::make_shared<UnderWay>());
    start(std::move(*message), std::string(line));
  }

  void notify(const RpcMessage& message, std::string_view line) {
    if (message.method == "notifications/cancelled") cancel(message.params.member("requestId").dump());
    if (session_.empty()) return;
    HttpClient http(endpoint_);
    const std::string headers = headers_of(message);
    static_cast<void>(http.exchange(
        {"POST", kPath, headers, line, [](int) {}, [](const HttpAnswer&) {}, [](std::string_view) { return true; }}));
  }

  void start(RpcMessage message, std::string line) {
    auto entry = std::make_shared<UnderWay>();
    entry->endless = message.method == kEndless;
    {
      const std::lock_guard lock(mutex_);
      if (under_way_.size() >= kMaxUnderWay) {
        return write(wire::rpc_fault({RpcCode::kInternalError, "too many requests are under way", message.id, {}}));
      }
      if (!under_way_.emplace(message.id, entry).second) {
        return write(
            wire::rpc_fault({RpcCode::kInvalidRequest, "a request with this id is under way", message.id, {}}));
      }
    }
    std::string headers = headers_of(message);
    std::thread([this, headers = std::move(headers), message = std::move(message), line = std::move(line), entry] {
      serve(message, line, headers, entry);
      const std::lock_guard lock(mutex_);
      under_way_.erase(message.id);
      changed_.notify_all();
    }).detach();
  }

  std::string headers_of(const RpcMessage& message) {
    std::string headers = cat("Accept: application/json, text/event-stream\r\n", rights_);
    const auto version = message.params.member("_meta").member("io.modelcontextprotocol/protocolVersion");
    if (version.is_null()) {
      if (!version_.empty()) headers += cat("MCP-Protocol-Version: ", header_value(version_), "\r\n");
      if (!session_.empty()) headers += cat("Mcp-Session-Id: ", header_value(session_), "\r\n");
      return headers;
    }
    headers += cat("MCP-Protocol-Version: ", header_value(version.text()), "\r\n");
    headers += cat("Mcp-Method: ", header_value(message.method), "\r\n");
    auto name = message.params.member("name");
    if (name.is_null()) name = message.params.member("uri");
    if (name.is_string()) headers += cat("Mcp-Name: ", header_value(name.text()), "\r\n");
    return headers;
  }

  // One request to its end; its answer, or a fault, has been written then, unless it was cancelled.
  void serve(const RpcMessage& message, std::string_view line, const std::string& headers,
             const std::shared_ptr<UnderWay>& entry) {
    HttpAnswer answer;
    bool answered = false;
    EventParser events([&](std::string_view text) {
      if (is_cancelled(*entry)) return;
      answered = answered || is_answer(text);
      write(text);
    });
    const auto is_stream = [&] { return answer.headers["content-type"].starts_with("text/event-stream"); };
    HttpClient http(endpoint_);
    const auto done = http.exchange({"POST", kPath, headers, line, [&](int socket) { connected(*entry, socket); },
                                     [&](const HttpAnswer& head) { answer = head; },
                                     [&](std::string_view bytes) {
                                       if (is_stream()) return events.feed(bytes);
                                       answer.body += bytes;
                                       return true;
                                     }});
    if (answered || is_cancelled(*entry)) return;
    if (!done) return write(fault_of(message, done.error()));
    if (message.method == "initialize") remember(answer);
    if (is_answer(answer.body)) return write(answer.body);
    write(fault_of(message, wire::parse_problem(answer.status, answer.body)));
  }

  static bool is_answer(std::string_view text) {
    const auto message = wire::parse_rpc(text);
    return message && message->kind == RpcMessage::Kind::kResponse;
  }
  static std::string fault_of(const RpcMessage& message, const Error& error) {
    return wire::rpc_fault({RpcCode::kInternalError, error.message(), message.id, {}});
  }

  void remember(const HttpAnswer& answer) {
    if (const auto found = answer.headers.find("mcp-session-id"); found != answer.headers.end()) {
      session_ = found->second;
    }
    if (const auto body = wire::JsonNode::parse(answer.body); body) version_ = body->text("result.protocolVersion");
  }

  static void connected(UnderWay& entry, int socket) {
    auto copy = sys::dup(socket);
    const std::lock_guard lock(entry.mutex);
    if (copy) entry.socket = std::move(*copy);
    if (entry.cancelled && entry.socket) ::shutdown(entry.socket.get(), SHUT_RDWR);
  }
  static bool is_cancelled(UnderWay& entry) {
    const std::lock_guard lock(entry.mutex);
    return entry.cancelled;
  }
  static void cancel(UnderWay& entry) {
    const std::lock_guard lock(entry.mutex);
    entry.cancelled = true;
    if (entry.socket) ::shutdown(entry.socket.get(), SHUT_RDWR);
  }
  void cancel(const std::string& id) {
    const std::lock_guard lock(mutex_);
    if (const auto found = under_way_.find(id); found != under_way_.end()) cancel(*found->second);
  }

  void write(std::string_view message) {
    const std::lock_guard lock(output_);
    if (!sys::write_all(STDOUT_FILENO, cat(message, '\n'))) ::_exit(kExitBrokenPipe);  // nobody listens any more
  }

  // The client has closed our input and will ask nothing more: what it has asked is answered, however long that takes
  // (each request has its own time limit; who does not want to wait ends us with a signal).
  void leave() {
    {
      std::unique_lock lock(mutex_);
      for (const auto& [id, entry] : under_way_) {
        if (entry->endless) cancel(*entry);
      }
      changed_.wait(lock, [this] { return under_way_.empty(); });
    }
    if (session_.empty()) return;
    HttpClient http(endpoint_);
    const std::string headers = cat(rights_, "Mcp-Session-Id: ", header_value(session_), "\r\n");
    static_cast<void>(http.exchange(
        {"DELETE", kPath, headers, {}, [](int) {}, [](const HttpAnswer&) {}, [](std::string_view) { return true; }}));
  }

  const Endpoint endpoint_;
  std::string rights_;
  std::string session_;  // main thread writes, before there are others
  std::string version_;
  std::mutex output_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::shared_ptr<UnderWay>> under_way_;
};

}  // namespace

Outcome mcp(const Session& session, const McpOptions& options) {
  return Bridge(session.http.endpoint(), options).run();
}

}  // namespace skerry::cli
