// skerry token create, ls, revoke.
#include "base/text.h"
#include "cli/listing.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "wire/json_node.h"
#include "wire/json_writer.h"

namespace skerry::cli {
namespace {
constexpr std::string_view kTokens = "/api/v1/tokens";
}

Outcome create_token(const Session& session, const TokenOptions& options) {
  wire::JsonWriter body;
  body.begin_object()
      .field("name", options.name)
      .field("role", options.role)
      .field("zones", options.zones)
      .end_object();
  const auto json = TRY(wire::JsonNode::parse(TRY(session.http.expect("POST", kTokens, std::move(body).text())).body));
  if (session.settings.output == OutputForm::kJson) {
    TRY(print_json(json));
    return kExitSuccess;
  }
  if (!session.settings.quiet) note("This is told only once. Send it as \"Authorization: Bearer …\".");
  TRY(print(json.text("token") + "\n"));
  return kExitSuccess;
}

Outcome list_tokens(const Session& session) {
  return print_list(session, kTokens, {"NAME", "ROLE", "ZONES", "CREATED"}, [](const wire::JsonNode& each) {
    std::string zones;
    for (const auto& zone : each.at("zones").items()) zones += cat(zones.empty() ? "" : ", ", zone.text());
    return std::vector<std::string>{each.text("name"), each.text("role"), zones.empty() ? "all" : zones,
                                    human_age(each.text("created_at"))};
  });
}

Outcome revoke_token(const Session& session, const TokenOptions& options) {
  return remove_each(session, options.names, [](const std::string& name) { return cat(kTokens, "/", escape(name)); });
}

}  // namespace skerry::cli
