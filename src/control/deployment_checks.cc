#include "control/deployment_checks.h"

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "control/complete_spec.h"
#include "control/deployment_revision.h"
#include "control/deployments.h"
#include "core/plan.h"
#include "wire/environment_json.h"

namespace skerry {
namespace {

Status check_ports(const std::vector<PublishedPort>& ports, std::uint32_t replicas, std::string_view whose) {
  if (ports.empty() || replicas <= 1) return {};
  return fail(ErrorCode::kInvalidArgument, cat(whose, ": one host port cannot be published by several replicas"),
              "give the deployment a service (--service-port), or one replica");
}

}  // namespace

Status check_deployment(const Deployment& deployment) {
  if (!is_dns_label(deployment.name) || deployment.name.size() > 55) {
    return fail(ErrorCode::kInvalidArgument, cat("name: \"", deployment.name.substr(0, 80), "\""),
                "use up to 55 of a-z, 0-9 and '-': replicas are called NAME-1, NAME-2, …");
  }
  if (deployment.replicas > Deployments::kMaxReplicas) {
    return fail(ErrorCode::kInvalidArgument,
                cat("replicas: ", deployment.replicas, " is more than ", Deployments::kMaxReplicas));
  }
  if (deployment.max_unavailable == 0) {
    return fail(ErrorCode::kInvalidArgument, "max_unavailable: at least 1, or no replica could be replaced");
  }
  const auto spec = TRY_IN("config", replica_command(deployment, 1)).spec;
  TRY(check_ports(spec.ports, deployment.replicas, "config.ports"));
  return annotate(validate(spec), "config");
}

Status check_completed(Store& store, const Deployment& deployment) {
  const auto command = TRY_IN("config", replica_command(deployment, 1));
  const auto plugin = TRY(plugin_of(store, command.spec));
  if (!plugin) return {};  // told as the reason why none is made
  const auto spec = TRY_IN("config", complete_spec(command, *plugin));
  TRY(check_ports(spec.ports, deployment.replicas, cat("plugin \"", plugin->name, "\": network.ports")));
  return annotate(validate(spec), "config");
}

Result<PluginRef> pin_plugin(Store& store, const std::string& reference, const std::string& config_json) {
  PluginRef wanted = parse_plugin_ref(reference);
  if (wanted.name.empty()) {
    const auto spec = TRY_IN("config", wire::parse_create_request(config_json)).command.spec;
    wanted = {spec.plugin, spec.plugin_version};
  }
  if (wanted.name.empty()) return wanted;
  const auto plugin = TRY(store.find_plugin(wanted));
  if (!plugin) {
    return fail(ErrorCode::kNotFound, cat("plugin \"", to_text(wanted), "\" is not installed"),
                "see: skerry plugins list");
  }
  if (!plugin->enabled) {
    return fail(ErrorCode::kConflict, cat("plugin \"", to_text(wanted), "\" is disabled"),
                cat("enable it: skerry plugins enable ", to_text(wanted)));
  }
  return PluginRef{plugin->name, plugin->version};
}

std::string lack_of(Store& store, const Deployment& deployment) {
  if (deployment.plugin.empty()) return {};
  const PluginRef wanted{deployment.plugin, deployment.plugin_version};
  const auto plugin = store.find_plugin(wanted);
  if (!plugin) return {};  // the store cannot be read: that is told elsewhere
  if (!*plugin) {
    return cat("plugin \"", to_text(wanted),
               "\" is not installed any more: no replica is made or replaced until it is ",
               "installed again, or the deployment updated");
  }
  if ((*plugin)->enabled) return {};
  return cat("plugin \"", to_text(wanted), "\" is disabled: no replica is made or replaced");
}

}  // namespace skerry
