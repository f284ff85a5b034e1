// skerry events: the event log, and with -f what comes. A broken connection is taken up where it broke.
#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/text.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "wire/event_json.h"
#include "wire/json_node.h"

namespace skerry::cli {
namespace {

constexpr Duration kPatience = std::chrono::seconds(60);
constexpr Duration kPause = std::chrono::milliseconds(250);

Status print_event(const Session& session, const Event& event) {
  if (session.settings.output == OutputForm::kJson) return print(wire::event_json(event) + "\n");
  std::string line = cat(to_rfc3339(event.time).substr(0, 19), "Z  ", event.type, "  ", event.resource);
  for (const auto& [name, value] : event.data) {
    if (name != "name" || value != event.resource) line += cat("  ", name, "=", value);
  }
  for (char& letter : line) {
    if (static_cast<unsigned char>(letter) < 0x20) letter = ' ';
  }
  return print(line + "\n");
}

// Without `after` the newest.
std::string query_of(const EventOptions& options, std::optional<std::uint64_t> after) {
  std::string query = cat("/api/v1/events?limit=", options.limit);
  if (after) query += cat("&after=", *after);
  if (!options.type.empty()) query += cat("&type=", escape(options.type));
  if (!options.resource.empty()) query += cat("&resource=", escape(options.resource));
  return query;
}

// What the log has after `after`; moves that on.
Result<std::size_t> print_listed(const Session& session, HttpClient& http, const EventOptions& options,
                                 std::optional<std::uint64_t>& after) {
  const auto answer = TRY(http.expect("GET", query_of(options, after)));
  const auto items = TRY(wire::JsonNode::parse(answer.body)).items();
  for (const auto& item : items) {
    const auto event = TRY(wire::parse_event(item.dump()));
    after = event.id;
    TRY(print_event(session, event));
  }
  return items.size();
}

// Until the connection ends. The stream only tells that there is something new; the list says what, with its ids and
// times. `reached` when the daemon has answered.
Status follow_once(const Session& session, const EventOptions& options, std::optional<std::uint64_t>& after,
                   bool& reached) {
  HttpClient list(session.http.endpoint());
  const auto catch_up = [&]() -> Status {
    while (TRY(print_listed(session, list, options, after)) > 0) {
    }
    return {};
  };
  TRY(catch_up());
  reached = true;
  HttpClient stream(session.http.endpoint());
  Status printed;
  TRY(stream.stream(query_of(options, after), "text/event-stream", [&](std::string_view) {
    printed = catch_up();
    return printed.has_value();
  }));
  return printed;
}

// Another try may go well. (EPIPE: nobody reads what we print.)
bool is_broken_connection(const Status& ended) {
  return ended || (ended.error().code == ErrorCode::kUnavailable && ended.error().sys_errno != EPIPE);
}

// Goes on behind the last event printed when the connection breaks, as when the daemon is replaced. A daemon that was
// never there is an error at once, one that stays away after kPatience.
Status follow(const Session& session, const EventOptions& options, std::optional<std::uint64_t> after) {
  const SystemClock clock;
  std::optional<MonoTime> last_reached;
  while (true) {
    bool reached = false;
    auto ended = follow_once(session, options, after, reached);
    if (reached) last_reached = clock.monotonic();
    const bool patient = last_reached && clock.monotonic() - *last_reached < kPatience;
    if (!patient || !is_broken_connection(ended)) return ended;
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

Outcome events(const Session& session, const EventOptions& options) {
  auto after = options.after;
  if (!options.follow) {
    TRY(print_listed(session, session.http, options, after));
    return kExitSuccess;
  }
  if (!after) {
    const auto system = TRY(wire::JsonNode::parse(TRY(session.http.expect("GET", "/api/v1/system")).body));
    after = static_cast<std::uint64_t>(system.integer("last_event_id"));
  }
  TRY(follow(session, options, after));
  return kExitSuccess;
}

}  // namespace skerry::cli
