// The plugin manifest as JSON: the form users install (docs/API.md). Unknown fields are errors that name their path.
#pragma once

#include <string_view>

#include "base/result.h"
#include "core/manifest.h"

namespace skerry::wire {

inline constexpr std::size_t kMaxManifestBytes = 1U << 20U;

// Parsed and validated (core/manifest.h).
Result<PluginManifest> parse_plugin_manifest(std::string_view json);

}  // namespace skerry::wire
