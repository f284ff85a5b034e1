// The Model Context Protocol at /mcp (Streamable HTTP): AI agents run code and commands in disposable environments and
// drive this host with the rights of their token.
//
//   POST /mcp ─▶ JSON-RPC (wire/json_rpc.h) ─▶ which revision, is it well-formed (mcp_protocol.h) ─▶ method
//                                                                                                     │
//     tools/list ◀── the table (mcp_tools.h), cut to what the caller's role may call ◀───────────────┤
//     tools/call ──▶ the REST route it names, or a chain of them (mcp_call.h, mcp_run.h) ◀───────────┘
//                        │ an answer that takes its time is a stream: progress, if asked for, then the result
//
// Revision 2026-07-28 (server/discover, tools/list, tools/call, subscriptions/listen) and those with a handshake,
// 2025-11-25, 2025-06-18, 2025-03-26 and 2024-11-05 (initialize, ping, tools/list, tools/call), are served on the one
// endpoint. The server keeps nothing between requests in either: a session's id, given out by `initialize`, only names
// whose request it is that notifications/cancelled wants cancelled, and DELETE ends. Agents outlive a restart of the
// daemon.
//
// Whatever a tool could not do is an answer with isError and words that say what to do; what was not understood at all
// is an error of JSON-RPC. A client of 2026-07-28 that hangs up cancels its call; one of an older revision says so.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "api/http.h"
#include "base/clock.h"
#include "control/operations.h"

namespace skerry::api {

struct Context;

inline constexpr std::string_view kMcpPath = "/mcp";

// What calls share: the work going on, by whom it can be cancelled, and which sessions have ended.
class McpCalls {
 public:
  // Most tools that work at once, of all clients.
  static constexpr std::size_t kMaxCalls = 32;

  explicit McpCalls(Clock& clock) : work_(std::make_unique<Operations>(clock, kMaxCalls)) {}

  // Starts `work` on a thread of its own: the id by which it can be cancelled. kResourceExhausted: too many.
  Result<std::string> start(std::string tool, OperationWork work);
  void cancel(const std::string& operation);
  // Cancels everything and waits for it. Nothing may be started any more.
  void stop();

  // Names the running `operation`, so that it can be cancelled by the id of its request.
  void remember(const std::string& session, const std::string& request, const std::string& operation);
  void forget(const std::string& session, const std::string& request);
  void cancel_request(const std::string& session, const std::string& request);
  // Cancels all of the session's calls. It is known as ended for a while.
  void end_session(const std::string& session);
  bool has_ended(const std::string& session);

 private:
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::string> running_;  // (session, request) → operation
  std::deque<std::string> ended_;
  std::unique_ptr<Operations> work_;
};

// POST /mcp, DELETE /mcp.
void serve_mcp(Context& context, Request request, Reply reply);
Result<Response> end_mcp_session(Context& context, const Request& request);

}  // namespace skerry::api
