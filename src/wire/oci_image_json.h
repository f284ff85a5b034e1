// The JSON documents of the OCI image specification 1.1, and Docker's schema 2 equivalents, to values and back.
//
// Every parser takes hostile input: size, nesting depth and list lengths are bounded, types are checked, digests are
// strict. A document that breaks a rule gives kCorrupt with the JSON path of the place ("layers[3].digest: …"). Fields
// we do not know are ignored, as the specification asks ("Extensibility").
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/image.h"

namespace skerry::wire {

// No registry serves larger ones (the distribution specification asks registries to take at least 4 MiB).
inline constexpr std::size_t kMaxManifestBytes = 4U << 20U;
inline constexpr std::size_t kMaxImageConfigBytes = 8U << 20U;
// overlayfs takes at most 500 lower directories (Linux, fs/overlayfs/params.h, OVL_MAX_STACK).
inline constexpr std::size_t kMaxLayers = 500;

struct OciPlatform {
  std::string os;
  std::string architecture;
  std::string variant;
  bool operator==(const OciPlatform&) const = default;
};

// "Content Descriptors".
struct OciDescriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;
  std::optional<OciPlatform> platform;
  std::map<std::string, std::string> annotations;
  bool operator==(const OciDescriptor&) const = default;
};

// "Image Manifest".
struct OciManifest {
  std::string media_type;
  OciDescriptor config;
  std::vector<OciDescriptor> layers;  // bottom first
  bool operator==(const OciManifest&) const = default;
};

// "Image Index".
struct OciIndex {
  std::vector<OciDescriptor> manifests;
  bool operator==(const OciIndex&) const = default;
};

// "Image Configuration": what Image needs of it and the identities of the layers.
struct OciImageConfig {
  ImageConfig config;
  std::vector<Digest> diff_ids;  // bottom first
  bool operator==(const OciImageConfig&) const = default;
};

enum class OciDocumentKind : std::uint8_t { kManifest, kIndex };
// Which of the two a registry answered with; by mediaType where there is one, else by its members.
Result<OciDocumentKind> oci_document_kind(std::string_view json);

Result<OciManifest> parse_oci_manifest(std::string_view json);
Result<OciIndex> parse_oci_index(std::string_view json);
Result<OciImageConfig> parse_oci_image_config(std::string_view json);

// The names (RepoTags) of the one image in a docker archive's manifest.json. kUnsupported when it holds several images.
Result<std::vector<std::string>> parse_docker_archive_names(std::string_view json);

// The layer's compression by its media type. kUnsupported for one we do not know (encrypted, foreign, …).
Result<LayerCompression> layer_compression(std::string_view media_type);
std::string_view layer_media_type(LayerCompression compression);

// Keys sorted, no white space: the same value always gives the same bytes.
std::string format_oci_manifest(const OciManifest& manifest);
std::string format_oci_index(const OciIndex& index);
std::string format_oci_image_config(const OciImageConfig& config);
// The content of the file "oci-layout" ("Image Layout").
std::string_view oci_layout_file();

inline constexpr std::string_view kMediaTypeOciManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kMediaTypeOciIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kMediaTypeOciConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kMediaTypeDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kMediaTypeDockerList = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kAnnotationRefName = "org.opencontainers.image.ref.name";

}  // namespace skerry::wire
