#include "api/mcp_stream.h"

#include <sys/eventfd.h>

#include "base/text.h"
#include "wire/json_rpc.h"
#include "wire/json_writer.h"

namespace skerry::api {
namespace {

constexpr Duration kKeepAlive = std::chrono::seconds(15);
constexpr Duration kReportEvery = std::chrono::milliseconds(100);
constexpr Duration kLookAgain = std::chrono::milliseconds(20);
constexpr std::string_view kStillHere = ": still here\n\n";

std::string as_event(std::string_view message) { return cat("event: message\ndata: ", message, "\n\n"); }

class CallStream final : public BodySource {
 public:
  CallStream(std::shared_ptr<CallWatch> watch, std::function<void()> hang_up)
      : watch_(std::move(watch)), hang_up_(std::move(hang_up)) {}
  CallStream(const CallStream&) = delete;
  CallStream& operator=(const CallStream&) = delete;
  ~CallStream() override {
    if (!over_ && hang_up_) hang_up_();
  }

  Result<std::optional<std::string>> next() override {
    if (over_) return std::nullopt;
    std::string events = watch_->take_events(over_);
    if (!events.empty() || over_) {
      quiet_ = 0;
      return events.empty() ? std::optional<std::string>() : std::optional(std::move(events));
    }
    // The first time there is nothing new it waits; the second time its patience has passed.
    return quiet_++ == 0 ? std::string() : (quiet_ = 0, std::string(kStillHere));
  }
  [[nodiscard]] int wake_fd() const override { return watch_->bell().fd(); }
  [[nodiscard]] Duration patience() const override { return kKeepAlive; }

 private:
  std::shared_ptr<CallWatch> watch_;
  std::function<void()> hang_up_;
  bool over_ = false;
  unsigned quiet_ = 0;
};

class ListenStream final : public BodySource {
 public:
  explicit ListenStream(std::string first) : first_(std::move(first)) {}
  Result<std::optional<std::string>> next() override {
    if (!first_.empty()) return std::exchange(first_, {});
    waited_ = !waited_;
    return waited_ ? std::string() : std::string(kStillHere);
  }
  [[nodiscard]] Duration patience() const override { return kKeepAlive; }

 private:
  std::string first_;
  bool waited_ = false;
};

}  // namespace

Result<std::shared_ptr<CallWatch>> CallWatch::create(std::string token, const Clock& clock) {
  Fd bell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!bell) return fail_errno("eventfd");
  return std::shared_ptr<CallWatch>(new CallWatch(EventHub::Bell(std::move(bell)), std::move(token), clock));
}

ToolProgress CallWatch::progress(const OperationProgress& operation) {
  return {[self = shared_from_this()](std::string_view stage, std::uint64_t done, std::uint64_t total) {
            self->report(stage, done, total);
          },
          [&operation] { return operation.cancelled(); }};
}

void CallWatch::report(std::string_view stage, std::uint64_t done, std::uint64_t total) {
  if (token_.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    const MonoTime now = clock_.monotonic();
    if (stage == stage_ && now - last_report_ < kReportEvery) return;
    stage_ = stage;
    last_report_ = now;
    wire::JsonWriter params;
    // The protocol wants a number that only grows; bytes begin anew with each stage, and stand in the words.
    params.begin_object().key("progressToken").raw(token_).field("progress", ++told_);
    params.field("message", total == 0 ? std::string(stage) : cat(stage, " (", done, " of ", total, ")")).end_object();
    pending_ = wire::rpc_notification("notifications/progress", std::move(params).text());
  }
  bell_.ring();
}

void CallWatch::finish(std::string message) {
  {
    const std::lock_guard lock(mutex_);
    message_ = std::move(message);
  }
  bell_.ring();
}

bool CallWatch::finished() {
  const std::lock_guard lock(mutex_);
  return message_.has_value();
}

std::string CallWatch::take_events(bool& over) {
  bell_.clear();
  const std::lock_guard lock(mutex_);
  std::string events;
  if (!pending_.empty()) events = as_event(std::exchange(pending_, {}));
  over = message_.has_value();
  if (over && !message_->empty()) events += as_event(*message_);
  return events;
}

std::optional<std::string> CallWatch::message() {
  const std::lock_guard lock(mutex_);
  return message_;
}

std::unique_ptr<BodySource> make_call_stream(std::shared_ptr<CallWatch> watch, std::function<void()> hang_up) {
  return std::make_unique<CallStream>(std::move(watch), std::move(hang_up));
}

std::unique_ptr<BodySource> make_listen_stream(const std::string& request_id) {
  wire::JsonWriter params;
  params.begin_object().key("_meta").begin_object().key("io.modelcontextprotocol/subscriptionId").raw(request_id);
  params.end_object().key("notifications").begin_object().end_object().end_object();
  return std::make_unique<ListenStream>(
      as_event(wire::rpc_notification("notifications/subscriptions/acknowledged", std::move(params).text())));
}

Response stream_response(std::unique_ptr<BodySource> source) {
  Response response;
  response.content_type = "text/event-stream";
  response.headers.emplace_back("X-Accel-Buffering", "no");
  response.source = std::move(source);
  return response;
}

Response later_response(std::shared_ptr<CallWatch> watch) {
  Response response;
  response.later = Later{[watch = std::move(watch)]() -> Result<std::optional<Response>> {
                           auto message = watch->message();
                           if (!message) return std::optional<Response>();
                           if (message->empty()) return std::optional<Response>(no_content());
                           return std::optional<Response>(json_response(std::move(*message)));
                         },
                         kLookAgain};
  return response;
}

}  // namespace skerry::api
