// skerry plugins: list, install, show, enable, disable, remove.
#include "base/text.h"
#include "cli/listing.h"
#include "cli/manifest_source.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace skerry::cli {
namespace {

constexpr std::string_view kPlugins = "/api/v1/plugins";
constexpr int kAccepted = 202;  // RFC 9110: it is under way

std::string plugin_path(const std::string& name) { return cat(kPlugins, "/", escape(name)); }

// "2/3": ready of those that are wanted.
std::string warm_text(const wire::JsonNode& pool) {
  return pool.is_null() ? std::string() : cat(pool.integer("ready"), "/", pool.integer("size"));
}

Outcome switch_plugins(const Session& session, const PluginOptions& options, std::string_view verb) {
  for (const auto& name : options.names) {
    const auto answer = TRY(session.http.expect("POST", cat(plugin_path(name), "/", verb)));
    if (session.settings.output == OutputForm::kJson) {
      TRY(print_json(TRY(wire::JsonNode::parse(answer.body))));
    } else {
      TRY(print_done(session, name));
    }
  }
  return kExitSuccess;
}

// What it fetches is watched.
Result<wire::JsonNode> install(const Session& session, const std::string& manifest) {
  const auto answer = TRY(session.http.expect("POST", cat(kPlugins, "?background=true"), manifest));
  auto json = TRY(wire::JsonNode::parse(answer.body));
  if (answer.status != kAccepted) return json;
  const auto done = TRY(watch_operation(session, json));
  const auto reference = cat(done.text("result.name"), "@", done.text("result.version"));
  return wire::JsonNode::parse(TRY(session.http.expect("GET", plugin_path(reference))).body);
}

}  // namespace

Outcome list_plugins(const Session& session) {
  return print_list(session, kPlugins, {"NAME", "VERSION", "DEFAULT", "RUNTIME", "ENABLED", "WARM", "INSTALLED"},
                    [](const wire::JsonNode& each) {
                      return std::vector<std::string>{each.text("name"),
                                                      each.text("version"),
                                                      each.at("default").flag() ? "yes" : "",
                                                      each.text("runtime"),
                                                      each.at("enabled").flag() ? "yes" : "no",
                                                      warm_text(each.at("warm_pool")),
                                                      human_age(each.text("created_at"))};
                    });
}

Outcome install_plugin(const Session& session, const PluginOptions& options) {
  const auto manifest = TRY_IN("--manifest", read_manifest(options.manifest_path));
  const auto json = TRY_IN(options.manifest_path.substr(0, 256), install(session, manifest));
  if (session.settings.output == OutputForm::kJson) {
    TRY(print_json(json));
  } else if (!session.settings.quiet) {
    TRY(print(cat(json.text("name"), " ", json.text("version"), "\n")));
  }
  return kExitSuccess;
}

Outcome show_plugins(const Session& session, const PluginOptions& options) {
  return show_each(session, options.names, [](const std::string& name) { return plugin_path(name) + "/manifest"; });
}

Outcome enable_plugins(const Session& session, const PluginOptions& options) {
  return switch_plugins(session, options, "enable");
}
Outcome disable_plugins(const Session& session, const PluginOptions& options) {
  return switch_plugins(session, options, "disable");
}

Outcome remove_plugins(const Session& session, const PluginOptions& options) {
  return remove_each(session, options.names, [&options](const std::string& name) {
    return plugin_path(name) + (options.force ? "?force=1" : "");
  });
}

}  // namespace skerry::cli
