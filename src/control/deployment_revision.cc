#include "control/deployment_revision.h"

#include <string_view>
#include <utility>

#include "base/text.h"
#include "wire/environment_json.h"

namespace skerry {
namespace {

// What tells two configurations apart, but for the plugin's version. Not a secret and not a signature: FNV-1a is
// enough.
std::string revision_of(const Deployment& deployment) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : cat(deployment.plugin, "\n", deployment.config_json)) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  return cat(hash);
}

}  // namespace

std::string zone_of(const Deployment& deployment) {
  const auto request = wire::parse_create_request(deployment.config_json.empty() ? "{}" : deployment.config_json);
  return request ? request->command.spec.zone : std::string();
}

bool is_same_revision(const Deployment& left, const Deployment& right) {
  return left.plugin == right.plugin && left.plugin_version == right.plugin_version &&
         left.config_json == right.config_json;
}

std::string full_revision_of(const Deployment& deployment) {
  return cat(revision_of(deployment), "@", deployment.plugin_version);
}

void run_plugin(Deployment& deployment, const PluginRef& plugin) {
  deployment.plugin = plugin.name;
  deployment.plugin_version = plugin.version;
}

Status swap_revisions(Deployment& deployment) {
  if (deployment.previous_config_json.empty()) {
    return fail(ErrorCode::kConflict,
                cat("deployment \"", deployment.name, "\" has no earlier revision to go back to"));
  }
  std::swap(deployment.plugin, deployment.previous_plugin);
  std::swap(deployment.plugin_version, deployment.previous_plugin_version);
  std::swap(deployment.config_json, deployment.previous_config_json);
  deployment.rolling = true;
  // What is gone back to has run before: should it fail now, going forth again would not help.
  deployment.reverting = true;
  return {};
}

Status take_back(Deployment& deployment) {
  TRY(swap_revisions(deployment));
  deployment.previous_plugin.clear();
  deployment.previous_plugin_version.clear();
  deployment.previous_config_json.clear();
  return {};
}

Result<CreateCommand> replica_command(const Deployment& deployment, std::uint32_t number) {
  auto command = TRY(wire::parse_create_request(deployment.config_json)).command;
  command.start = true;
  EnvironmentSpec& spec = command.spec;
  spec.name = replica_name(deployment.name, number);
  spec.deployment = deployment.name;
  if (!deployment.plugin.empty()) {
    spec.plugin = deployment.plugin;
    spec.plugin_version = deployment.plugin_version;
  }
  spec.labels[std::string(kRevisionLabel)] = revision_of(deployment);
  return command;
}

ReplicaView view_of(const Deployment& deployment, const Environment& environment) {
  ReplicaView view;
  view.number = replica_number(deployment.name, environment.spec.name);
  view.state = environment.status.state;
  view.health = environment.status.health;
  view.has_health_check = environment.spec.health_check.has_value();
  const auto label = environment.spec.labels.find(std::string(kRevisionLabel));
  view.current_revision = label != environment.spec.labels.end() && label->second == revision_of(deployment) &&
                          (deployment.plugin.empty() || environment.spec.plugin_version == deployment.plugin_version);
  return view;
}

}  // namespace skerry
