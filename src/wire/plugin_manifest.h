// The plugin manifest as JSON: the form users install (docs/API.md). Unknown fields are errors that name their path.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "core/manifest.h"

namespace skerry::wire {

inline constexpr std::size_t kMaxManifestBytes = 1U << 20U;

// Parsed and validated (core/manifest.h).
Result<PluginManifest> parse_plugin_manifest(std::string_view text);

// What the signature of a manifest is over: the document without `signature`, its keys sorted, nothing between the
// tokens and nothing behind; what `jq -cjS 'del(.signature)'` writes.
Result<std::string> signed_text(std::string_view text);
// The document with this `signature`, for people to read.
Result<std::string> with_signature(std::string_view text, const std::string& signature);

}  // namespace skerry::wire
