// Answers of the Model Context Protocol that take their time, as streams of server-sent events (HTML Living Standard):
// progress notifications, then the result, then the end.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "api/event_hub.h"
#include "api/http.h"
#include "api/mcp_tools.h"
#include "base/clock.h"
#include "control/operations.h"

namespace skerry::api {

// What a running call and the stream that tells of it share. Thread-safe.
class CallWatch : public std::enable_shared_from_this<CallWatch> {
 public:
  // `token`: the progress token as JSON; empty: nobody wants to hear of progress.
  static Result<std::shared_ptr<CallWatch>> create(std::string token, const Clock& clock);

  // For the work: reports go to the stream (a few a second), cancellation comes from the operation. It keeps this
  // alive; `operation` must outlive it.
  ToolProgress progress(const OperationProgress& operation);
  // The last message, or "" to end without one. Called once.
  void finish(std::string message);
  [[nodiscard]] bool finished();

  // For the stream: what is new, as events. `over` tells that this was the last.
  std::string take_events(bool& over);
  // The last message, when it is there.
  std::optional<std::string> message();
  [[nodiscard]] const EventHub::Bell& bell() const { return bell_; }

 private:
  CallWatch(EventHub::Bell bell, std::string token, const Clock& clock)
      : bell_(std::move(bell)), token_(std::move(token)), clock_(clock) {}
  void report(std::string_view stage, std::uint64_t done, std::uint64_t total);

  EventHub::Bell bell_;
  const std::string token_;
  const Clock& clock_;
  std::mutex mutex_;
  std::optional<std::string> message_;
  std::string stage_;
  std::string pending_;  // the newest notification that has not been told
  std::uint64_t told_ = 0;
  MonoTime last_report_;
};

// `hang_up` (may be empty) is called when the client goes before the end.
std::unique_ptr<BodySource> make_call_stream(std::shared_ptr<CallWatch> watch, std::function<void()> hang_up);
// subscriptions/listen: nothing of what this server offers ever changes under a client, so it acknowledges an empty
// set, and stays open until the client goes.
std::unique_ptr<BodySource> make_listen_stream(const std::string& request_id);

Response stream_response(std::unique_ptr<BodySource> source);
// For clients that take no stream: one document when it is there.
Response later_response(std::shared_ptr<CallWatch> watch);

}  // namespace skerry::api
