// skerry action: what a workload can be asked by name.
#include "base/text.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "wire/json_node.h"

namespace skerry::cli {
namespace {

Outcome list_actions(const Session& session, const std::string& path) {
  const auto json = TRY(wire::JsonNode::parse(TRY(session.http.expect("GET", path)).body));
  if (session.settings.output == OutputForm::kJson) {
    TRY(print_json(json));
    return kExitSuccess;
  }
  Table table({"ACTION", "ASKS", "DESCRIPTION"});
  for (const auto& each : json.items()) {
    table.add({each.text("name"), cat(each.text("method"), " ", each.text("path")), each.text("description")});
  }
  TRY(print(table.text()));
  return kExitSuccess;
}

}  // namespace

Outcome call_action(const Session& session, const ActionOptions& options) {
  const auto path = cat(path_of(options.scope), "/", escape(options.name), "/actions");
  if (options.action.empty()) return list_actions(session, path);
  const auto answer = TRY(session.http.expect("POST", cat(path, "/", escape(options.action)), options.data));
  const auto json = TRY(wire::JsonNode::parse(answer.body));
  if (session.settings.output == OutputForm::kJson) {
    TRY(print_json(json));
  } else {
    TRY(print(json.text("body")));
  }
  const auto status = json.integer("status");
  if (status < 400) return kExitSuccess;
  return fail(ErrorCode::kUnavailable, cat(options.name, ": ", options.action, ": the workload answered ", status));
}

}  // namespace skerry::cli
