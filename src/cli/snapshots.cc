// skerry snapshot create, ls, show, restore, rm; skerry fork.
#include "base/text.h"
#include "cli/listing.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "wire/json_node.h"
#include "wire/json_writer.h"

namespace skerry::cli {
namespace {

constexpr std::string_view kSnapshots = "/api/v1/snapshots";

std::string snapshots_of(const std::string& environment) {
  return cat(path_of(Scope::kEnvironments), "/", escape(environment), "/snapshots");
}
std::string snapshot_path(const std::string& name) { return cat(kSnapshots, "/", escape(name)); }

Status report(const Session& session, const std::string& name, const std::string& body) {
  if (session.settings.output == OutputForm::kJson) return print_json(TRY(wire::JsonNode::parse(body)));
  return print_done(session, name);
}

}  // namespace

Outcome create_snapshot(const Session& session, const SnapshotOptions& options) {
  wire::JsonWriter body;
  body.begin_object().field("name", options.names.at(0)).end_object();
  const auto answer = TRY(session.http.expect("POST", snapshots_of(options.environment), std::move(body).text()));
  TRY(report(session, options.names.at(0), answer.body));
  return kExitSuccess;
}

Outcome list_snapshots(const Session& session, const SnapshotOptions& options) {
  const auto path = options.environment.empty() ? std::string(kSnapshots) : snapshots_of(options.environment);
  return print_list(session, path, {"NAME", "OF", "KEEPS", "SIZE", "TAKEN"}, [](const wire::JsonNode& each) {
    return std::vector<std::string>{
        each.text("name"), each.text("environment"), each.at("memory").flag() ? "disk and memory" : "disk",
        human_bytes(static_cast<std::uint64_t>(each.integer("size"))), human_age(each.text("created_at"))};
  });
}

Outcome show_snapshots(const Session& session, const SnapshotOptions& options) {
  return show_each(session, options.names, snapshot_path);
}

Outcome restore_snapshot(const Session& session, const SnapshotOptions& options) {
  const auto answer = TRY(session.http.expect("POST", snapshot_path(options.names.at(0)) + "/restore")).body;
  const auto json = TRY(wire::JsonNode::parse(answer));
  if (session.settings.output == OutputForm::kJson) {
    TRY(print_json(json));
  } else if (!session.settings.quiet) {
    const bool memory = json.text("state") == "suspended";
    TRY(print(cat(json.text("name"), " is as it was then; ",
                  memory ? "it goes on with: skerry resume " : "it boots with: skerry start ", json.text("name"),
                  "\n")));
  }
  return kExitSuccess;
}

Outcome remove_snapshots(const Session& session, const SnapshotOptions& options) {
  return remove_each(session, options.names, snapshot_path);
}

Outcome fork(const Session& session, const ForkOptions& options) {
  if (options.names.size() > 1 && !options.ports.empty()) {
    return fail(ErrorCode::kInvalidArgument, "-p: a host port can be published for one fork only",
                "fork them one by one");
  }
  const auto from = options.from_snapshot ? std::string(kSnapshots) : std::string(path_of(options.scope));
  for (const auto& name : options.names) {
    wire::JsonWriter body;
    body.begin_object().field("name", name).field("ports", options.ports).end_object();
    const auto path = cat(from, "/", escape(options.source), "/clone");
    TRY(report(session, name, TRY(session.http.expect("POST", path, std::move(body).text())).body));
  }
  return kExitSuccess;
}

}  // namespace skerry::cli
