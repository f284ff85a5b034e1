// Requests and answers as plain values: what a route's handler sees. No handler knows of sockets or of the HTTP
// library.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/caller.h"
#include "base/clock.h"
#include "base/result.h"
#include "drivers/driver.h"

namespace skerry::api {

struct Request {
  std::string id;                                 // request_id.h; told in logs, audit trail and problem documents
  std::string method;                             // "GET"
  std::string path;                               // as sent, without the query
  std::map<std::string, std::string> parameters;  // of the route's template: {name}
  std::map<std::string, std::string> query;       // decoded; the last of a repeated key counts
  std::string content_type;
  std::string last_event_id;
  std::string accept;
  // For what is passed on to a workload only, as they came.
  std::string raw_query;
  std::vector<std::pair<std::string, std::string>> headers;
  std::map<std::string, std::string> mcp;  // headers of the Model Context Protocol: "mcp-method", in lower case
  bool wants_frames = false;               // Upgrade: skerry-frames
  bool wants_websocket = false;            // RFC 6455
  std::string body;
  Caller caller;
  std::shared_ptr<const std::atomic<bool>> gone;  // the client hung up; null: nobody looks
  bool vms_only = false;                          // below /api/v1/vms: containers do not exist here

  [[nodiscard]] const std::string& parameter(const std::string& name) const;
  // nullopt when it is not there.
  [[nodiscard]] std::optional<std::string> option(const std::string& name) const;
  // "1", "true" or without value: true. kInvalidArgument for anything else than those and "0", "false".
  [[nodiscard]] Result<bool> flag(const std::string& name, bool otherwise = false) const;
  [[nodiscard]] Result<std::uint64_t> number(const std::string& name, std::uint64_t otherwise,
                                             std::uint64_t most) const;
};

// A body that comes in pieces. Its calls come one at a time, next() from worker threads.
class BodySource {
 public:
  virtual ~BodySource() = default;
  // Whether next() has its answer in memory: then it may be called on the I/O thread, which spares two changes of
  // thread.
  [[nodiscard]] virtual bool is_quick() { return false; }
  // The next bytes; "" when there are none now; nullopt at the end. An error ends the stream as if cut off.
  virtual Result<std::optional<std::string>> next() = 0;
  // Polls readable when next() may have more; borrowed; -1: there is nothing to poll.
  [[nodiscard]] virtual int wake_fd() const { return -1; }
  // After how long next() is called again even if nothing polled readable.
  [[nodiscard]] virtual Duration patience() const = 0;
};

// The connection becomes a conversation, relayed to and from `peer`: in frames (base/frame.h, session 0), or over a
// WebSocket (console.cc).
struct Upgrade {
  Conversation peer;
  // Called from a worker when the process has ended; the last frame goes to the client when `done` is called. For a
  // client that wants to find everything settled when it is told of the exit. Empty: at once.
  std::function<void(std::function<void()> done)> settle;
  enum class Form : std::uint8_t { kFrames, kWebSocket } form = Form::kFrames;
};

struct Response;

// The answer is not there yet: `look` is called on a worker every `every` until it has one. It keeps its own deadline.
struct Later {
  std::function<Result<std::optional<Response>>()> look;
  Duration every{};
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::optional<std::uint64_t> length;  // of an answer to HEAD: of the body that it would have
  std::unique_ptr<BodySource> source;   // instead of body
  std::optional<Upgrade> upgrade;       // instead of both; status 101
  std::optional<Later> later;           // instead of everything
};

Response json_response(std::string body, int status = 200);
Response no_content();
Response text_response(std::string body, std::string content_type);

// How a handler answers: called exactly once, from any thread. An error becomes a problem document.
using Reply = std::function<void(Result<Response>)>;

// Splits "a=1&b=%20" into decoded pairs; kInvalidArgument on a broken escape.
Result<std::map<std::string, std::string>> parse_query(std::string_view text);
// Decodes %XX (and with `plus_is_space` also '+'); kInvalidArgument on a broken escape or a NUL.
enum class Plus : std::uint8_t { kLiteral, kSpace };
Result<std::string> percent_decode(std::string_view text, Plus plus);

}  // namespace skerry::api
