// skerry ls, skerry show, skerry vms list, skerry vms show.
#include <algorithm>

#include "base/text.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "core/zone.h"

namespace skerry::cli {
namespace {

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

// "running", "running (healthy)", "failed (2)".
std::string state_of(const wire::JsonNode& environment) {
  std::string state = environment.text("state");
  // Its run has ended, and another one is wanted: between two runs of a restart policy.
  const bool crash_loop = environment.at("crash_looping").flag();
  if (crash_loop || environment.at("restarting").flag()) {
    return cat(crash_loop ? "crash loop (" : "restarting (", environment.text("restarts"), ")");
  }
  const auto health = environment.text("health");
  if (state == "running" && health != "unknown") return cat(state, " (", health, ")");
  if (state == "failed" && !environment.at("exit_code").is_null()) {
    return cat(state, " (", environment.text("exit_code"), ")");
  }
  return state;
}

std::string ports_of(const wire::JsonNode& environment) {
  std::string out;
  for (const auto& port : environment.at("ports").items()) {
    const auto host = port.text("host_ip");
    out += cat(out.empty() ? "" : ", ", host, host.empty() ? "" : ":", port.text("host_port"), "->",
               port.text("guest_port"), "/", port.text("protocol"));
  }
  return or_dash(out);
}

std::string environments_table(const wire::JsonNode& list) {
  // Who has one zone need not read its name in each line.
  const auto& all = list.items();
  const bool zones = std::ranges::any_of(all, [](const auto& each) { return each.text("zone") != Zone{}.name; });
  std::vector<std::string> headings{"NAME", "ISOLATION", "STATE", "IP", "IMAGE", "PORTS", "CREATED"};
  if (zones) headings.insert(headings.begin() + 2, "ZONE");
  Table table(std::move(headings));
  for (const auto& each : all) {
    const auto plugin = each.text("plugin");
    std::vector<std::string> cells{each.text("name"),
                                   each.text("isolation"),
                                   state_of(each),
                                   or_dash(each.text("ip")),
                                   or_dash(plugin.empty() ? each.text("image") : plugin),
                                   ports_of(each),
                                   human_age(each.text("created_at"))};
    if (zones) cells.insert(cells.begin() + 2, each.text("zone"));
    table.add(std::move(cells));
  }
  return table.text();
}

std::string vms_table(const wire::JsonNode& list) {
  Table table({"NAME", "PLUGIN", "STATE", "IP", "CPU", "MEMORY"});
  for (const auto& each : list.items()) {
    table.add({each.text("name"), or_dash(each.text("plugin")), state_of(each), or_dash(each.text("ip")),
               each.text("resources.cpu_cores"), cat(each.text("resources.memory_mb"), " MiB")});
  }
  return table.text();
}

Result<std::string> query_of(const ListOptions& options) {
  std::string query;
  const auto add = [&](std::string_view name, std::string_view value) {
    query += cat(query.empty() ? "?" : "&", escape(name), "=", escape(value));
  };
  std::vector<std::string> names;
  if (options.running_only) {
    add("state", "running");
    names.emplace_back("state");
  }
  for (const auto& filter : options.filters) {
    const auto equals = filter.find('=');
    if (equals == std::string::npos) {
      return fail(ErrorCode::kInvalidArgument, cat("filter \"", filter, "\""), "write it as NAME=value");
    }
    const auto name = filter.substr(0, equals);
    if (std::ranges::find(names, name) != names.end()) {
      return fail(ErrorCode::kInvalidArgument, cat("filter \"", name, "\" is given twice"));
    }
    names.push_back(name);
    add(name, filter.substr(equals + 1));
  }
  return query;
}

Status print_names(const wire::JsonNode& list) {
  std::string out;
  for (const auto& each : list.items()) out += cat(each.text("name"), "\n");
  return print(out);
}

// One fact a line: "key: value", groups indented.
void describe(const wire::JsonNode& node, std::size_t depth, std::string& out) {
  const std::string indent(depth * 2, ' ');
  for (const auto& [name, value] : node.members()) {
    if (value.is_object()) {
      out += cat(indent, name, ":\n");
      describe(value, depth + 1, out);
    } else if (value.is_array()) {
      std::string items;
      for (const auto& item : value.items())
        items += cat(items.empty() ? "" : ", ", item.is_string() ? item.text() : item.dump());
      out += cat(indent, name, ": ", items, "\n");
    } else if (!value.text().empty()) {
      out += cat(indent, name, ": ", value.text(), "\n");
    }
  }
}

}  // namespace

std::string_view path_of(Scope scope) { return scope == Scope::kVms ? "/api/v1/vms" : "/api/v1/environments"; }

Outcome list(const Session& session, const ListOptions& options) {
  const auto answer = TRY(session.http.expect("GET", cat(path_of(options.scope), TRY(query_of(options)))));
  const auto json = TRY(wire::JsonNode::parse(answer.body));
  if (session.settings.output == OutputForm::kJson) {
    TRY(print_json(json));
  } else if (session.settings.quiet) {
    TRY(print_names(json));
  } else {
    TRY(print(options.scope == Scope::kVms ? vms_table(json) : environments_table(json)));
  }
  return kExitSuccess;
}

Outcome show(const Session& session, const TargetOptions& options) {
  for (const auto& name : options.names) {
    const auto answer = TRY(session.http.expect("GET", cat(path_of(options.scope), "/", escape(name))));
    const auto json = TRY(wire::JsonNode::parse(answer.body));
    if (session.settings.output == OutputForm::kJson) {
      TRY(print_json(json));
      continue;
    }
    std::string out;
    describe(json, 0, out);
    TRY(print(out));
  }
  return kExitSuccess;
}

}  // namespace skerry::cli
