// The rows of `events`. Used within guard() or transaction(); SQLite's exceptions pass through.
#pragma once

#include <cstdint>
#include <vector>

#include "core/event.h"
#include "store/connection.h"
#include "store/store.h"

namespace skerry::sql {

// Appends in order; the ids are the database's.
void insert_events(Connection& connection, const std::vector<Event>& events);
Result<std::vector<Event>> select_events(Connection& connection, const EventFilter& filter);
// The newest id ever given, also when its event has been pruned; 0: none yet.
std::uint64_t last_event_id(Connection& connection);
void prune_events(Connection& connection, std::uint64_t keep);

}  // namespace skerry::sql
