// What a creation request comes to: what it leaves open, its plugin says.
#pragma once

#include "base/result.h"
#include "core/command.h"
#include "core/plugin.h"
#include "store/store.h"

namespace skerry {

// The plugin that a request names, as it is installed; none when it names none, or one that is missing or disabled:
// that is for admission to refuse.
Result<std::optional<Plugin>> plugin_of(Store& store, const EnvironmentSpec& spec);

// The request's specification with what the plugin's manifest says, and its version.
Result<EnvironmentSpec> complete_spec(const CreateCommand& command, const Plugin& plugin);

}  // namespace skerry
