// Whether a deployment can be what somebody wants it to be.
#pragma once

#include <string>

#include "base/result.h"
#include "core/plugin.h"
#include "core/plugin_version.h"
#include "store/store.h"

namespace skerry {

// By itself: its name, its numbers, its configuration. kInvalidArgument.
Status check_deployment(const Deployment& deployment);
// With what its plugin says. kInvalidArgument.
Status check_completed(Store& store, const Deployment& deployment);

// The version of the plugin that it is to run, `reference` or what the configuration names; empty where neither names
// one. kNotFound, kConflict (disabled).
Result<PluginRef> pin_plugin(Store& store, const std::string& reference, const std::string& config_json);
// Why no replica of it can be made now; empty: nothing is known against it.
std::string lack_of(Store& store, const Deployment& deployment);

}  // namespace skerry
