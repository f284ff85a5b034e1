#include "api/manifest_schema.h"

#include "api/handlers.h"
#include "base/text.h"

namespace skerry::api {
namespace {

// Kept in step with wire/plugin_manifest.cc by ManifestSchema.NamesWhatTheParserTakes.
constexpr std::string_view kSchema = R"json({"type":"object","additionalProperties":false,"required":["name","version"],
"properties":{
"schema_version":{"const":"1"},
"name":{"type":"string","pattern":"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"},
"version":{"type":"string"},"runtime":{"type":"string"},"enabled":{"type":"boolean"},
"image":{"type":"string","description":"reference of an OCI image"},
"image_digest":{"type":"string","pattern":"^sha256:[0-9a-f]{64}$"},
"labels":{"type":"object","additionalProperties":{"type":"string"}},
"resources":{"type":"object","additionalProperties":false,"properties":{
"cpu_cores":{"type":"number","exclusiveMinimum":0},"memory_mb":{"type":"integer","minimum":1}}},
"rootfs":{"type":"object","additionalProperties":false,"required":["url","checksum"],"properties":{
"url":{"type":"string","pattern":"^(file|https)://"},"checksum":{"type":"string","pattern":"^sha256:[0-9a-f]{64}$"},
"format":{"type":"string"}}},
"initramfs":{"type":"object","additionalProperties":false,"required":["url","checksum"],"properties":{
"url":{"type":"string","pattern":"^(file|https)://"},"checksum":{"type":"string","pattern":"^sha256:[0-9a-f]{64}$"},
"format":{"type":"string"}}},
"disks":{"type":"array","maxItems":16,"items":{"type":"object","additionalProperties":false,
"required":["name","source","checksum"],"properties":{"name":{"type":"string"},"source":{"type":"string"},
"checksum":{"type":"string"},"format":{"type":"string"},"readonly":{"type":"boolean"},"target":{"type":"string"}}}},
"workload":{"type":"object","additionalProperties":false,"properties":{"type":{"type":"string"},
"entrypoint":{"type":"array","items":{"type":"string"}},
"env":{"type":"object","additionalProperties":{"type":"string"}},"workdir":{"type":"string"},
"base_url":{"type":"string"},"user":{"type":"string"}}},
"health_check":{"type":"object","additionalProperties":false,"properties":{"probe":{"enum":["http","tcp","exec"]},
"endpoint":{"type":"string"},"command":{"type":"array","items":{"type":"string"}},
"interval_ms":{"type":"integer","minimum":10,"maximum":86400000},
"timeout_ms":{"type":"integer","minimum":1,"maximum":86400000},
"retries":{"type":"integer","minimum":1,"maximum":1000}}},
"restart":{"oneOf":[{"type":"string","pattern":"^(no|always|unless-stopped|on-failure(:[0-9]+)?)$"},
{"type":"object","additionalProperties":false,"properties":{
"policy":{"enum":["no","on-failure","always","unless-stopped"]},"max":{"type":"integer","minimum":0},
"backoff_ms":{"type":"integer","minimum":1,"maximum":300000}}}]},
"actions":{"type":"object","additionalProperties":{"type":"object","additionalProperties":false,"required":["path"],
"properties":{"description":{"type":"string"},"method":{"enum":["GET","POST","PUT","DELETE"]},
"path":{"type":"string","pattern":"^/"},
"timeout_ms":{"type":"integer","minimum":1,"maximum":3600000}}}},
"network":{"type":"object","additionalProperties":false,"properties":{"mode":{"enum":["bridge"]},
"ports":{"type":"array","items":{"oneOf":[{"type":"string"},{"type":"object","additionalProperties":false,
"required":["host_port","guest_port"],"properties":{"host_ip":{"type":"string"},
"host_port":{"type":"integer","minimum":1,"maximum":65535},
"guest_port":{"type":"integer","minimum":1,"maximum":65535},"protocol":{"enum":["tcp","udp"]}}}]}}}},
"devices":{"type":"object","additionalProperties":false,"properties":{
"pci_passthrough":{"type":"array","items":{"type":"string"}},"allowlist":{"type":"array","items":{"type":"string"}}}},
"cloud_init":{"type":"object","additionalProperties":false,"properties":{"user_data":{"type":"string"},
"network_config":{"type":"string"},"vendor_data":{"type":"string"}}},
"warm_pool":{"type":"object","additionalProperties":false,"required":["mode"],"properties":{
"mode":{"enum":["off","parked","warmed"]},"size":{"type":"integer","minimum":1,"maximum":64}}},
"signature":{"type":"string","description":"minisign's, over the document without this field (docs/PLUGINS.md)"}}})json";

}  // namespace

std::string_view manifest_schema() { return kSchema; }

Result<Response> show_manifest_schema(Context&, const Request&) {
  static constexpr std::string_view kHead =
      R"({"$schema":"https://json-schema.org/draft/2020-12/schema","title":"Skerry plugin manifest",)";
  auto response = json_response(cat(kHead, kSchema.substr(1)));
  response.content_type = "application/schema+json";
  return response;
}

}  // namespace skerry::api
