// skerry policy ls, check, explain, reload.
#include "base/text.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "wire/json_node.h"

namespace skerry::cli {
namespace {

constexpr std::string_view kPolicy = "/api/v1/policy";

Result<wire::JsonNode> get(const Session& session, const std::string& path) {
  return wire::JsonNode::parse(TRY(session.http.expect("GET", path)).body);
}

std::string place_of(const wire::JsonNode& rule) { return cat(rule.text("file"), ":", rule.text("line")); }

Status print_problems(const wire::JsonNode& policy) {
  for (const auto& each : policy.at("problems").items()) {
    TRY(print(cat(policy.text("directory"), "/", each.text("text"), "\n")));
  }
  return {};
}

Outcome print_policy(const Session& session, const wire::JsonNode& policy) {
  if (session.settings.output == OutputForm::kJson) {
    TRY(print_json(policy));
    return kExitSuccess;
  }
  Table table({"WHERE", "SERVICE", "ARGUMENT", "SOURCE", "TARGET", "ANSWER"});
  for (const auto& each : policy.at("rules").items()) {
    table.add({place_of(each), each.text("service"), each.text("argument"), each.text("source"), each.text("target"),
               each.text("answer")});
  }
  TRY(print(table.text()));
  if (policy.at("malformed").flag()) note("malformed: nothing is allowed until it is not. See: skerry policy check");
  return kExitSuccess;
}

Status print_explanation(const wire::JsonNode& said) {
  std::string text = cat(said.text("answer"), ": ", said.text("reason"), "\n");
  const auto rule = said.at("decided_by");
  if (!rule.is_null()) text += cat("  ", place_of(rule), "  ", rule.text("rule"), "\n");
  if (said.text("goes_to") != said.text("target")) text += cat("  goes to ", said.text("goes_to"), "\n");
  const auto passed = said.at("passed").items();
  if (!passed.empty()) text += "before it, and not matching:\n";
  for (const auto& each : passed) {
    text += cat("  ", place_of(each), "  ", each.text("rule"), "  (", each.text("why"), ")\n");
  }
  if (!said.at("enforced").flag()) text += "nothing of Skerry asks for this yet: the answer is only told\n";
  return print(text);
}

}  // namespace

Outcome list_policy(const Session& session) { return print_policy(session, TRY(get(session, std::string(kPolicy)))); }

Outcome reload_policy(const Session& session) {
  const auto policy = TRY(wire::JsonNode::parse(TRY(session.http.expect("POST", cat(kPolicy, "/reload"))).body));
  TRY(print_policy(session, policy));
  return policy.at("malformed").flag() ? kExitFailed : kExitSuccess;
}

Outcome check_policy(const Session& session) {
  const auto policy = TRY(get(session, cat(kPolicy, "/check")));
  const bool malformed = policy.at("malformed").flag();
  if (session.settings.output == OutputForm::kJson) {
    TRY(print_json(policy));
  } else if (malformed) {
    TRY(print_problems(policy));
  } else if (!session.settings.quiet) {
    TRY(print(cat(policy.text("directory"), ": ", policy.at("rules").items().size(), " rules in ",
                  policy.at("files").items().size(), " files, all well formed\n")));
  }
  return malformed ? kExitFailed : kExitSuccess;
}

Outcome explain_policy(const Session& session, const PolicyOptions& options) {
  std::string path = cat(kPolicy, "/explain?source=", escape(options.source), "&target=", escape(options.target),
                         "&service=", escape(options.service));
  if (!options.argument.empty()) path += cat("&argument=", escape(options.argument));
  const auto said = TRY(get(session, path));
  if (session.settings.output == OutputForm::kJson) {
    TRY(print_json(said));
  } else {
    TRY(print_explanation(said));
  }
  return said.text("answer") == "deny" ? kExitRefused : kExitSuccess;
}

}  // namespace skerry::cli
