// The JSON Schema (2020-12) of plugin manifests: what GET /schemas/plugin-manifest.json serves, and what the OpenAPI
// document says of them.
#pragma once

#include <string_view>

namespace skerry::api {

std::string_view manifest_schema();

}  // namespace skerry::api
