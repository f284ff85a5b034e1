#include "store/events.h"

#include <algorithm>
#include <limits>

#include "base/text.h"
#include "wire/event_json.h"

namespace skerry::sql {
namespace {

std::int64_t clamp(std::uint64_t value) {
  return static_cast<std::int64_t>(
      std::min<std::uint64_t>(value, static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())));
}

}  // namespace

void insert_events(Connection& connection, const std::vector<Event>& events) {
  for (const auto& event : events) {
    connection.query("INSERT INTO events (type, resource_id, data, timestamp) VALUES (?, ?, ?, ?)")
        .bind(event.type, event.resource, wire::event_data_json(event.data), event.time)
        .run();
  }
}

Result<std::vector<Event>> select_events(Connection& connection, const EventFilter& filter) {
  // A noun with its dot ("vm.") stands for the range of texts that begin with it: '/' is the character after '.'.
  const bool noun = filter.type.ends_with('.');
  const std::string low = filter.type;
  const std::string high = noun ? cat(filter.type.substr(0, filter.type.size() - 1), '/') : filter.type;
  const bool last = filter.take == EventFilter::Take::kLast;
#define SKERRY_EVENTS                                                       \
  "SELECT id, type, resource_id, data, timestamp FROM events WHERE id > ?1" \
  " AND (?2 = '' OR (type >= ?2 AND (type < ?3 OR type = ?2)))"             \
  " AND (?4 = '' OR resource_id = ?4) AND id < ?5 ORDER BY id "
  Query query = connection.query(last ? SKERRY_EVENTS "DESC LIMIT ?6" : SKERRY_EVENTS "LIMIT ?6");
#undef SKERRY_EVENTS
  query.bind(clamp(filter.after_id), low, high, filter.resource, clamp(filter.before_id), clamp(filter.limit));
  std::vector<Event> events;
  while (query.next()) {
    Event event;
    event.id = static_cast<std::uint64_t>(query.number(0));
    event.type = query.text(1);
    event.resource = query.text(2);
    event.data = TRY_IN(cat("event ", event.id), wire::parse_event_data(query.text(3)));
    event.time = query.time(4);
    events.push_back(std::move(event));
  }
  if (last) std::ranges::reverse(events);
  return events;
}

std::uint64_t last_event_id(Connection& connection) {
  Query query = connection.query("SELECT seq FROM sqlite_sequence WHERE name = 'events'");
  return query.next() ? static_cast<std::uint64_t>(query.number(0)) : 0;
}

void prune_events(Connection& connection, std::uint64_t keep) {
  connection.query("DELETE FROM events WHERE id <= (SELECT id FROM events ORDER BY id DESC LIMIT 1 OFFSET ?)")
      .bind(clamp(keep))
      .run();
}

}  // namespace skerry::sql
