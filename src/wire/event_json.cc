#include "wire/event_json.h"

#include "wire/json_fields.h"

namespace skerry::wire {
namespace {

constexpr std::size_t kMaxEvent = 1U << 20U;
using OrderedJson = nlohmann::ordered_json;

OrderedJson event_value(const Event& event) {
  OrderedJson out;
  out["id"] = event.id;
  out["type"] = event.type;
  out["resource"] = event.resource;
  out["time"] = to_rfc3339(event.time);
  out["data"] = event.data;
  return out;
}

std::string dump(const OrderedJson& json) { return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace); }

}  // namespace

std::string event_data_json(const std::map<std::string, std::string>& data) { return dump(OrderedJson(data)); }

Result<std::map<std::string, std::string>> parse_event_data(std::string_view json) {
  const Json parsed = TRY(parse_json(json, "event data", kMaxEvent));
  const Json document = {{"data", parsed}};
  FieldErrors errors;
  ObjectReader fields(document, {}, errors);
  std::map<std::string, std::string> data;
  fields.pairs("data", data);
  fields.required("data");
  TRY(errors.status());
  return data;
}

std::string event_json(const Event& event) { return dump(event_value(event)); }

std::string events_json(const std::vector<Event>& events) {
  OrderedJson list = OrderedJson::array();
  for (const auto& event : events) list.push_back(event_value(event));
  return dump(list);
}

Result<Event> parse_event(std::string_view json) {
  const Json parsed = TRY(parse_json(json, "event", kMaxEvent));
  FieldErrors errors;
  ObjectReader fields(parsed, {}, errors);
  Event event;
  std::string time;
  fields.number("id", event.id);
  fields.text("type", event.type);
  fields.text("resource", event.resource);
  fields.text("time", time);
  fields.pairs("data", event.data);
  fields.required("type");
  fields.finish(Unknown::kRefuse);
  TRY(errors.status());
  if (!time.empty()) event.time = TRY(parse_rfc3339(time));
  return event;
}

std::string server_sent_event(const Event& event) {
  return cat("id: ", event.id, "\nevent: ", event.type, "\ndata: ", event_data_json(event.data), "\n\n");
}

}  // namespace skerry::wire
