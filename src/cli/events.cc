// skerry events: the event log, and with -f what comes. A broken connection is taken up where it broke.
#include <unistd.h>

#include <iterator>
#include <vector>

#include "base/text.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "wire/event_json.h"
#include "wire/json_node.h"

namespace skerry::cli {
namespace {

// As many as the daemon tells at once.
constexpr std::uint64_t kPage = 10'000;

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

std::string query_of(const EventOptions& options, std::uint64_t after, std::uint64_t limit) {
  std::string query = cat("/api/v1/events?after=", after, "&limit=", limit);
  if (!options.type.empty()) query += cat("&type=", escape(options.type));
  if (!options.resource.empty()) query += cat("&resource=", escape(options.resource));
  return query;
}

// What the log has after `after`; moves that on.
Result<std::vector<Event>> next_events(const Session& session, const EventOptions& options, std::uint64_t& after,
                                       std::uint64_t limit) {
  const auto answer = TRY(session.http.expect("GET", query_of(options, after, limit)));
  std::vector<Event> events;
  for (const auto& item : TRY(wire::JsonNode::parse(answer.body)).items()) {
    events.push_back(TRY(wire::parse_event(item.dump())));
    after = events.back().id;
  }
  return events;
}

Result<std::size_t> print_listed(const Session& session, const EventOptions& options, std::uint64_t& after,
                                 std::uint64_t limit) {
  const auto events = TRY(next_events(session, options, after, limit));
  for (const auto& event : events) TRY(print_event(session, event));
  return events.size();
}

// The log is kept in bounds by the daemon, and is read from its beginning to know its end.
Status print_newest(const Session& session, const EventOptions& options) {
  std::vector<Event> newest;
  std::uint64_t after = 0;
  while (true) {
    auto events = TRY(next_events(session, options, after, kPage));
    const bool more = events.size() == kPage;
    newest.insert(newest.end(), std::make_move_iterator(events.begin()), std::make_move_iterator(events.end()));
    if (newest.size() > options.limit) {
      newest.erase(newest.begin(), newest.end() - static_cast<std::ptrdiff_t>(options.limit));
    }
    if (!more) break;
  }
  for (const auto& event : newest) TRY(print_event(session, event));
  return {};
}

}  // namespace

Outcome events(const Session& session, const EventOptions& options) {
  std::uint64_t after = options.after.value_or(0);
  if (!options.follow) {
    if (!options.after) {
      TRY(print_newest(session, options));
    } else {
      TRY(print_listed(session, options, after, options.limit));
    }
    return kExitSuccess;
  }
  if (!options.after) {
    const auto system = TRY(wire::JsonNode::parse(TRY(session.http.expect("GET", "/api/v1/system")).body));
    after = static_cast<std::uint64_t>(system.integer("last_event_id"));
  }
  // The stream only tells that there is something new; the list says what, with its ids and times.
  const auto wake = [&]() -> Status {
    while (TRY(print_listed(session, options, after, options.limit)) > 0) {
    }
    return {};
  };
  HttpClient stream(session.settings.socket_path);
  Status printed;
  TRY(stream.stream(query_of(options, after, options.limit), "text/event-stream", [&](std::string_view) {
    printed = wake();
    return printed.has_value();
  }));
  TRY(printed);
  return kExitSuccess;
}

}  // namespace skerry::cli
