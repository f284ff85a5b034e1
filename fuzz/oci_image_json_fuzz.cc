// Manifests, indexes and image configurations as a registry sends them. What parses survives the way out and back.
// Links: wire core
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/oci_image_json.h"

namespace wire = skerry::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::ignore = wire::oci_document_kind(text);
  std::ignore = wire::parse_docker_archive_names(text);
  if (const auto manifest = wire::parse_oci_manifest(text)) {
    for (const auto& layer : manifest->layers) std::ignore = wire::layer_compression(layer.media_type);
    if (!wire::parse_oci_manifest(wire::format_oci_manifest(*manifest))) std::abort();
  }
  if (const auto index = wire::parse_oci_index(text)) {
    if (wire::parse_oci_index(wire::format_oci_index(*index)) != *index) std::abort();
  }
  if (const auto config = wire::parse_oci_image_config(text)) {
    if (!wire::parse_oci_image_config(wire::format_oci_image_config(*config))) std::abort();
  }
  return 0;
}
