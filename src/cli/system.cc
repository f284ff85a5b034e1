// skerry system, doctor, operations.
#include "base/text.h"
#include "cli/doctor.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "wire/json_node.h"

namespace skerry::cli {

Outcome show_system(const Session& session) {
  const auto json = TRY(wire::JsonNode::parse(TRY(session.http.expect("GET", "/api/v1/system")).body));
  if (session.settings.output == OutputForm::kJson) {
    TRY(print_json(json));
    return kExitSuccess;
  }
  std::string out =
      cat("skerryd ", json.text("version"), ", pid ", json.text("pid"), ", up ", json.integer("uptime_ms") / 1000,
          " s\nkernel ", json.text("kernel"), " ", json.text("architecture"), "\n");
  for (const auto& [name, each] : json.at("isolations").members()) {
    out += cat(name, ": ", each.at("available").flag() ? "yes" : "no", ", ", each.text("reason"), "\n");
  }
  out += cat("environments: ", json.text("environments.total"), "\nimages: ", json.text("images"), "\n");
  TRY(print(out));
  return kExitSuccess;
}

Outcome list_operations(const Session& session) {
  const auto json = TRY(wire::JsonNode::parse(TRY(session.http.expect("GET", "/api/v1/operations")).body));
  if (session.settings.output == OutputForm::kJson) {
    TRY(print_json(json));
    return kExitSuccess;
  }
  Table table({"ID", "KIND", "SUBJECT", "STATE", "STAGE", "STARTED"});
  for (const auto& each : json.items()) {
    const auto failure = each.text("error.error");
    table.add({each.text("id"), each.text("kind"), each.text("subject"), each.text("state"),
               failure.empty() ? each.text("stage") : failure, human_age(each.text("started_at"))});
  }
  TRY(print(table.text()));
  return kExitSuccess;
}

Outcome cancel_operation(const Session& session, const std::string& id) {
  TRY(session.http.expect("DELETE", cat("/api/v1/operations/", escape(id))));
  TRY(print_done(session, id));
  return kExitSuccess;
}

Outcome doctor(const Session& session) {
  auto findings = examine_host();
  examine_installation(findings);
  examine_daemon(session.http, findings);
  if (session.settings.output == OutputForm::kJson) {
    TRY(print(findings_json(findings) + "\n"));
  } else {
    TRY(print(findings_text(findings)));
  }
  for (const auto& each : findings) {
    if (each.verdict == Verdict::kBroken) return kExitFailed;
  }
  return kExitSuccess;
}

}  // namespace skerry::cli
