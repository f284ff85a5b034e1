// GET /api/v1/events: a stream of server-sent events (HTML Living Standard), or the event log as a list for a client
// that accepts JSON and no stream.
#include <algorithm>

#include "api/find.h"
#include "api/handlers.h"
#include "api/permit.h"
#include "base/text.h"
#include "wire/event_json.h"

namespace skerry::api {
namespace {

constexpr std::uint64_t kMaxListed = 10'000;
constexpr std::size_t kBatch = 500;
// A comment that often tells the client, and the proxies between, that the stream lives.
constexpr Duration kKeepAlive = std::chrono::seconds(15);
constexpr std::string_view kPreamble = "retry: 1000\n: skerry events\n\n";

// The next events that the caller may see, at most as many as the filter says. Moves the filter behind the last one
// that was looked at.
Result<std::vector<Event>> visible_events(Context& context, const Caller& caller, EventFilter& filter) {
  std::vector<Event> visible;
  while (true) {
    auto events = TRY(context.ports.store.events(filter));
    const bool more = events.size() == filter.limit;
    for (auto& event : events) {
      filter.after_id = event.id;
      if (!may_see(caller, event)) continue;
      visible.push_back(std::move(event));
      if (visible.size() == filter.limit) return visible;
    }
    if (!more || events.empty()) return visible;
  }
}

// The newest that the caller may see, in order of id.
Result<std::vector<Event>> newest_visible(Context& context, const Caller& caller, EventFilter filter) {
  filter.take = EventFilter::Take::kLast;
  std::vector<Event> newest_first;
  while (newest_first.size() < filter.limit) {
    auto events = TRY(context.ports.store.events(filter));
    for (auto event = events.rbegin(); event != events.rend() && newest_first.size() < filter.limit; ++event) {
      if (may_see(caller, *event)) newest_first.push_back(*event);
    }
    if (events.size() < filter.limit) break;
    filter.before_id = events.front().id;
  }
  std::ranges::reverse(newest_first);
  return newest_first;
}

class EventSource final : public BodySource {
 public:
  EventSource(Context& context, Caller caller, std::shared_ptr<EventHub::Bell> bell, EventFilter filter)
      : context_(context),
        caller_(std::move(caller)),
        bell_(std::move(bell)),
        filter_(std::move(filter)),
        last_sent_(context.ports.clock.monotonic()) {}

  [[nodiscard]] bool is_quick() override { return context_.events.reaches(filter_.after_id); }

  Result<std::optional<std::string>> next() override {
    std::string out = std::exchange(preamble_, std::string());
    bell_->clear();
    if (const auto frames = context_.events.after(filter_.after_id, filter_.limit); frames) {
      for (const auto& each : *frames) {
        filter_.after_id = each->event.id;
        if (passes(filter_, each->event) && may_see(caller_, each->event)) out += each->text;
      }
    } else {
      for (const auto& event : TRY(visible_events(context_, caller_, filter_))) out += wire::server_sent_event(event);
    }
    const MonoTime now = context_.ports.clock.monotonic();
    if (out.empty() && now - last_sent_ >= kKeepAlive) out = ": still here\n\n";
    if (!out.empty()) last_sent_ = now;
    return out;
  }
  [[nodiscard]] int wake_fd() const override { return bell_->fd(); }
  [[nodiscard]] Duration patience() const override { return kKeepAlive; }

 private:
  Context& context_;
  Caller caller_;
  std::shared_ptr<EventHub::Bell> bell_;
  EventFilter filter_;
  MonoTime last_sent_;
  std::string preamble_{kPreamble};  // flushes the headers through to the client at once
};

Result<EventFilter> filter_of(const Request& request) {
  EventFilter filter;
  filter.type = request.option("type").value_or("");
  filter.resource = request.option("resource").value_or("");
  filter.after_id = TRY(request.number("after", 0, UINT64_MAX));
  filter.limit = static_cast<std::size_t>(TRY(request.number("limit", 1000, kMaxListed)));
  return filter;
}

Result<Response> stream_events(Context& context, const Request& request, EventFilter filter) {
  auto bell = TRY(context.events.subscribe());
  if (!request.last_event_id.empty()) {
    filter.after_id = TRY(parse_int<std::uint64_t>(request.last_event_id, "Last-Event-ID"));
  } else if (!request.option("after")) {
    filter.after_id = TRY(context.ports.store.last_event_id());
  }
  filter.limit = kBatch;
  Response response;
  response.content_type = "text/event-stream";
  response.source = std::make_unique<EventSource>(context, request.caller, std::move(bell), std::move(filter));
  return response;
}

// Who says nothing of it follows: `curl …/api/v1/events` is the microVM document's own example.
bool wants_stream(const Request& request) {
  const auto accepts = [&](std::string_view media) { return request.accept.find(media) != std::string::npos; };
  return accepts("text/event-stream") || !accepts("application/json");
}

}  // namespace

Result<Response> list_events(Context& context, const Request& request) {
  auto filter = TRY(filter_of(request));
  if (wants_stream(request)) return stream_events(context, request, std::move(filter));
  // Without a beginning: what happened last.
  auto events = request.option("after") ? visible_events(context, request.caller, filter)
                                        : newest_visible(context, request.caller, filter);
  return json_response(wire::events_json(TRY(std::move(events))));
}

}  // namespace skerry::api
