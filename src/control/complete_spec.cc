#include "control/complete_spec.h"

#include "base/text.h"
#include "core/manifest.h"
#include "wire/plugin_manifest.h"

namespace skerry {

Result<std::optional<Plugin>> plugin_of(Store& store, const EnvironmentSpec& spec) {
  if (spec.plugin.empty()) return std::nullopt;
  auto plugin = TRY(store.find_plugin({spec.plugin, spec.plugin_version}));
  if (!plugin || !plugin->enabled) return std::nullopt;
  return plugin;
}

Result<EnvironmentSpec> complete_spec(const CreateCommand& command, const Plugin& plugin) {
  EnvironmentSpec spec = command.spec;
  spec.plugin_version = plugin.version;
  const auto manifest = TRY_IN(cat("plugin \"", plugin.name, "\""), wire::parse_plugin_manifest(plugin.manifest_json));
  return apply_manifest(std::move(spec), manifest, command.isolation_wish, command.restart_wish,
                        command.resource_wishes);
}

}  // namespace skerry
