// Events as JSON: the database column, the list document and the data of a server-sent event.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/event.h"

namespace skerry::wire {

// Event::data alone: the database column and what follows `data: ` in the stream.
std::string event_data_json(const std::map<std::string, std::string>& data);
// Strict: an object of strings.
Result<std::map<std::string, std::string>> parse_event_data(std::string_view json);

// {"id", "type", "resource", "time", "data"}; one line.
std::string event_json(const Event& event);
std::string events_json(const std::vector<Event>& events);
Result<Event> parse_event(std::string_view json);

// One message of the stream (HTML Living Standard, "Server-sent events"):
//   id: 7\nevent: vm.created\ndata: {"name":…}\n\n
std::string server_sent_event(const Event& event);

}  // namespace skerry::wire
