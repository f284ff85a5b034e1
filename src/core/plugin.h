// Plugin: a named, versioned manifest in the registry. Several versions of a name stand side by side.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "core/service.h"

namespace skerry {

// The manifest itself is kept as the JSON text that was installed (wire/ reads it); these are the columns.
struct Plugin {
  std::string name;
  std::string version;
  std::string runtime;
  std::string manifest_json;
  bool enabled = true;
  WallTime created_at;
  bool operator==(const Plugin&) const = default;
};

// What the environments and deployments made of a plugin do to its removal: forbid it, or go on without it.
// Environments run on; a deployment keeps the replicas it has and makes no new ones until the plugin is there again.
enum class PluginUsers : bool { kRefuse, kLeaveBehind };

// N replicas of a plugin, kept at N.
struct Deployment {
  std::string name;
  std::string plugin;
  std::string plugin_version;  // the one that its replicas are made from, whatever comes after
  std::uint32_t replicas = 0;
  std::string config_json;  // what each replica's creation request says besides the name
  WallTime created_at;
  std::uint32_t max_unavailable = 1;  // of the wanted replicas, while they are replaced by a new revision
  // What it ran before the last update, to go back to; no configuration: there is nothing.
  std::string previous_plugin;
  std::string previous_plugin_version;
  std::string previous_config_json;
  bool rolling = false;    // its replicas are being replaced: not yet have all of the new revision been ready
  bool reverting = false;  // and that revision is the one it ran before: failures do not take it back
  std::optional<ServiceSpec> service;  // with its address; none: it has no virtual address
  bool operator==(const Deployment&) const = default;
};

}  // namespace skerry
