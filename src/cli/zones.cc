// skerry zones create, ls, show, rm.
#include "base/text.h"
#include "cli/listing.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "wire/json_node.h"
#include "wire/json_writer.h"

namespace skerry::cli {
namespace {

constexpr std::string_view kZones = "/api/v1/zones";

std::string zone_path(const std::string& name) { return cat(kZones, "/", escape(name)); }

}  // namespace

Outcome create_zone(const Session& session, const ZoneOptions& options) {
  wire::JsonWriter body;
  body.begin_object().field("name", options.name);
  const std::pair<std::string_view, const std::string&> texts[] = {
      {"colour", options.colour},         {"bridge", options.bridge},       {"subnet", options.subnet},
      {"pool_first", options.pool_first}, {"pool_last", options.pool_last}, {"egress", options.egress}};
  for (const auto& [field, value] : texts) {
    if (!value.empty()) body.field(field, value);
  }
  body.field("dns", options.dns).field("isolated", options.isolated).end_object();
  const auto json = TRY(wire::JsonNode::parse(TRY(session.http.expect("POST", kZones, std::move(body).text())).body));
  if (session.settings.output == OutputForm::kJson) {
    TRY(print_json(json));
  } else {
    TRY(print_done(session, json.text("name")));
  }
  return kExitSuccess;
}

Outcome list_zones(const Session& session) {
  return print_list(
      session, kZones, {"NAME", "COLOUR", "SUBNET", "BRIDGE", "EGRESS", "ISOLATED", "ENVIRONMENTS", "CREATED"},
      [](const wire::JsonNode& each) {
        const auto created = each.text("created_at");
        return std::vector<std::string>{each.text("name"),         each.text("colour"),
                                        each.text("subnet"),       each.text("bridge"),
                                        each.text("egress"),       each.at("isolated").flag() ? "yes" : "no",
                                        each.text("environments"), created.empty() ? "-" : human_age(created)};
      });
}

Outcome show_zones(const Session& session, const ZoneOptions& options) {
  return show_each(session, options.names, zone_path);
}

Outcome remove_zones(const Session& session, const ZoneOptions& options) {
  return remove_each(session, options.names, zone_path);
}

}  // namespace skerry::cli
