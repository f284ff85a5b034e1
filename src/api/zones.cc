// /api/v1/zones: list, show, create, remove.
#include <algorithm>

#include "api/find.h"
#include "api/handlers.h"
#include "base/text.h"
#include "wire/json_writer.h"
#include "wire/requests.h"

namespace skerry::api {
namespace {

void write_zone(Context& context, wire::JsonWriter& json, const Zone& zone) {
  const auto views = context.ports.controller.views();
  const auto count = std::ranges::count_if(views, [&](const auto& each) { return each->spec.zone == zone.name; });
  json.begin_object()
      .field("name", zone.name)
      .field("colour", zone.colour)
      .field("bridge", zone.bridge)
      .field("subnet", zone.subnet)
      .field("gateway", zone.gateway)
      .field("pool_first", zone.pool_first)
      .field("pool_last", zone.pool_last)
      .field("dns", zone.dns)
      .field("egress", to_text(zone.egress))
      .field("isolated", zone.isolated)
      .field("default_policy", "deny")
      .field("environments", count)
      .field("trouble", context.ports.zones.trouble(zone.name))
      .field("created_at", zone.created_at.ns == 0 ? std::string() : to_rfc3339(zone.created_at))
      .end_object();
}

Response zone_response(Context& context, const Zone& zone, int status) {
  wire::JsonWriter json;
  write_zone(context, json, zone);
  return json_response(std::move(json).text(), status);
}

// Why no zone goes that a token is limited to: whoever makes one of that name later would let its bearer in.
Status refuse_tokens_of(Context& context, const std::string& zone) {
  std::vector<std::string> names;
  for (const auto& token : context.tokens.list()) {
    if (std::ranges::find(token.zones, zone) != token.zones.end()) names.push_back(token.name);
  }
  if (names.empty()) return {};
  return fail(ErrorCode::kConflict, cat("zone \"", zone, "\" is used by token ", join(names, ", token ")),
              cat("revoke it: skerry token revoke ", names.front()));
}

}  // namespace

Result<Response> list_zones(Context& context, const Request& request) {
  auto all = context.ports.zones.list();
  std::erase_if(all, [&](const Zone& each) { return !request.caller.may_touch_zone(each.name); });
  return list_page(request, all, [&](wire::JsonWriter& json, const Zone& zone) { write_zone(context, json, zone); });
}

Result<Response> show_zone(Context& context, const Request& request) {
  const auto& name = request.parameter("name");
  // Of one that is not the caller's it is not told whether it is there.
  if (!request.caller.may_touch_zone(name)) {
    return fail(ErrorCode::kNotFound, cat("zone \"", name, "\" does not exist"), "see: skerry zones ls");
  }
  return zone_response(context, TRY(context.ports.zones.find(name)), 200);
}

Result<Response> create_zone(Context& context, const Request& request) {
  const auto zone = TRY(context.ports.zones.add(TRY(wire::parse_zone_request(request.body))));
  auto response = zone_response(context, zone, 201);
  response.headers.emplace_back("Location", cat("/api/v1/zones/", zone.name));
  return response;
}

Result<Response> remove_zone(Context& context, const Request& request) {
  const auto& name = request.parameter("name");
  TRY(context.ports.zones.remove(name, [&] { return refuse_tokens_of(context, name); }));
  return no_content();
}

}  // namespace skerry::api
