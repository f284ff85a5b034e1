// Where `skerry plugins install --manifest` finds the manifest.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace skerry::cli {

// "-", a URL, or the JSON text itself: anything but the path of a file.
bool is_no_file(std::string_view source);

// A path, "-" for standard input, https:// or http:// (fetched by curl(1) as whoever calls us; a redirect may not leave
// TLS), or the JSON text. At most wire::kMaxManifestBytes, else kResourceExhausted.
Result<std::string> read_manifest(const std::string& source);

}  // namespace skerry::cli
