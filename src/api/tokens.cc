// /api/v1/tokens: list, create, revoke. The secret is in the answer to its creation and nowhere else.
#include "api/authorise.h"
#include "api/find.h"
#include "api/handlers.h"
#include "wire/json_writer.h"
#include "wire/requests.h"

namespace skerry::api {
namespace {

void write_token(wire::JsonWriter& json, const Token& token) {
  json.field("name", token.name)
      .field("role", to_text(token.role))
      .field("zones", token.zones)
      .field("created_at", to_rfc3339(token.created_at));
}

}  // namespace

Result<Response> list_tokens(Context& context, const Request& request) {
  return list_page(request, context.tokens.list(), [](wire::JsonWriter& json, const Token& token) {
    json.begin_object();
    write_token(json, token);
    json.end_object();
  });
}

Result<Response> create_token(Context& context, const Request& request) {
  const auto wanted = TRY(wire::parse_token_request(request.body));
  const Role role = TRY(parse_role(wanted.role));
  const auto held = context.ports.zones.hold();
  for (const auto& zone : wanted.zones) TRY(check_zone(context.ports.zones, zone, request.caller));
  const WallTime now = context.ports.clock.now();
  const auto secret = TRY(context.tokens.create(wanted.name, role, wanted.zones, now));
  wire::JsonWriter json;
  json.begin_object();
  write_token(json, Token{wanted.name, role, wanted.zones, {}, now});
  json.field("token", secret).end_object();
  return json_response(std::move(json).text(), 201);
}

Result<Response> revoke_token(Context& context, const Request& request) {
  TRY(context.tokens.revoke(request.parameter("name")));
  return no_content();
}

}  // namespace skerry::api
