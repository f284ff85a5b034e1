// skerry events: the event log, and with -f what comes. A broken connection is taken up where it broke.
#include <unistd.h>

#include <optional>

#include "base/text.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "wire/event_json.h"
#include "wire/json_node.h"

namespace skerry::cli {
namespace {

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
Result<std::size_t> print_listed(const Session& session, const EventOptions& options,
                                 std::optional<std::uint64_t>& after) {
  const auto answer = TRY(session.http.expect("GET", query_of(options, after)));
  const auto items = TRY(wire::JsonNode::parse(answer.body)).items();
  for (const auto& item : items) {
    const auto event = TRY(wire::parse_event(item.dump()));
    after = event.id;
    TRY(print_event(session, event));
  }
  return items.size();
}

}  // namespace

Outcome events(const Session& session, const EventOptions& options) {
  auto after = options.after;
  if (!options.follow) {
    TRY(print_listed(session, options, after));
    return kExitSuccess;
  }
  if (!after) {
    const auto system = TRY(wire::JsonNode::parse(TRY(session.http.expect("GET", "/api/v1/system")).body));
    after = static_cast<std::uint64_t>(system.integer("last_event_id"));
  }
  // The stream only tells that there is something new; the list says what, with its ids and times.
  const auto wake = [&]() -> Status {
    while (TRY(print_listed(session, options, after)) > 0) {
    }
    return {};
  };
  HttpClient stream(session.http.endpoint());
  Status printed;
  TRY(stream.stream(query_of(options, after), "text/event-stream", [&](std::string_view) {
    printed = wake();
    return printed.has_value();
  }));
  TRY(printed);
  return kExitSuccess;
}

}  // namespace skerry::cli
