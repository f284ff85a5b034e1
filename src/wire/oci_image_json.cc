#include "wire/oci_image_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace skerry::wire {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 32;
constexpr std::size_t kMaxIndexEntries = 10'000;
constexpr std::size_t kMaxListEntries = 10'000;
constexpr std::size_t kMaxText = 1U << 20U;
constexpr std::uint64_t kMaxBlobSize = 1ULL << 50U;

// One place in a document; knows its path for error messages.
struct Place {
  const json* value;
  std::string path;
};

std::unexpected<Error> wrong(std::string_view path, std::string_view why) {
  return fail(ErrorCode::kCorrupt, cat(path, ": ", why));
}

Result<json> parse(std::string_view text, std::string_view what, std::size_t limit) {
  if (text.size() > limit) return fail(ErrorCode::kCorrupt, cat(what, ": larger than ", limit, " bytes"));
  bool too_deep = false;
  const auto watch_depth = [&](int depth, json::parse_event_t, json&) {
    too_deep = too_deep || depth > kMaxDepth;
    return !too_deep;
  };
  json document = json::parse(text.begin(), text.end(), watch_depth, /*allow_exceptions=*/false);
  if (too_deep) return fail(ErrorCode::kCorrupt, cat(what, ": nested deeper than ", kMaxDepth));
  if (document.is_discarded()) return fail(ErrorCode::kCorrupt, cat(what, ": not valid JSON"));
  if (!document.is_object()) return fail(ErrorCode::kCorrupt, cat(what, ": not a JSON object"));
  return document;
}

// The member, or null when it is missing or JSON null (the specifications' optional members allow both).
Place member(const Place& place, const char* key) {
  std::string path = place.path.empty() ? key : cat(place.path, ".", key);
  const auto found = place.value->find(key);
  const bool there = found != place.value->end() && !found->is_null();
  return {there ? &*found : nullptr, std::move(path)};
}

Result<std::string> text_of(const Place& place) {
  if (place.value == nullptr) return std::string();
  if (!place.value->is_string()) return wrong(place.path, "must be a string");
  const auto& text = place.value->get_ref<const std::string&>();
  if (text.size() > kMaxText) return wrong(place.path, "is too long");
  if (text.find('\0') != std::string::npos) return wrong(place.path, "holds a zero byte");
  return text;
}

Result<const json*> required_object(const Place& place) {
  if (place.value == nullptr) return wrong(place.path, "is missing");
  if (!place.value->is_object()) return wrong(place.path, "must be an object");
  return place.value;
}

Result<std::vector<Place>> list_of(const Place& place, std::size_t limit) {
  std::vector<Place> out;
  if (place.value == nullptr) return out;
  if (!place.value->is_array()) return wrong(place.path, "must be a list");
  if (place.value->size() > limit) return wrong(place.path, cat("has more than ", limit, " entries"));
  for (std::size_t i = 0; i < place.value->size(); ++i) {
    out.push_back({&(*place.value)[i], cat(place.path, "[", i, "]")});
  }
  return out;
}

Result<std::vector<std::string>> texts_of(const Place& place) {
  std::vector<std::string> out;
  for (const auto& item : TRY(list_of(place, kMaxListEntries))) out.push_back(TRY(text_of(item)));
  return out;
}

Result<std::map<std::string, std::string>> text_map_of(const Place& place) {
  std::map<std::string, std::string> out;
  if (place.value == nullptr) return out;
  if (!place.value->is_object()) return wrong(place.path, "must be an object");
  if (place.value->size() > kMaxListEntries) return wrong(place.path, "has too many members");
  for (const auto& [key, value] : place.value->items()) {
    out[key] = TRY(text_of({&value, cat(place.path, ".", key.substr(0, 64))}));
  }
  return out;
}

// Docker's and OCI's sets: {"80/tcp": {}}.
Result<std::vector<std::string>> keys_of(const Place& place) {
  std::vector<std::string> out;
  if (place.value == nullptr) return out;
  if (!place.value->is_object()) return wrong(place.path, "must be an object");
  if (place.value->size() > kMaxListEntries) return wrong(place.path, "has too many members");
  for (const auto& [key, value] : place.value->items()) {
    if (key.find('\0') != std::string::npos) return wrong(place.path, "a key holds a zero byte");
    out.push_back(key);
  }
  return out;
}

Result<Digest> digest_of(const Place& place) {
  if (place.value == nullptr) return wrong(place.path, "is missing");
  auto digest = Digest::parse(TRY(text_of(place)));
  if (!digest) return wrong(place.path, digest.error().step);
  return digest;
}

Result<std::uint64_t> size_of(const Place& place) {
  if (place.value == nullptr) return wrong(place.path, "is missing");
  if (!place.value->is_number_unsigned()) return wrong(place.path, "must be a whole number, zero or more");
  const auto size = place.value->get<std::uint64_t>();
  if (size > kMaxBlobSize) return wrong(place.path, "is larger than any blob can be");
  return size;
}

Result<OciDescriptor> descriptor_of(const Place& place) {
  TRY(required_object(place));
  OciDescriptor out;
  out.media_type = TRY(text_of(member(place, "mediaType")));
  out.digest = TRY(digest_of(member(place, "digest")));
  out.size = TRY(size_of(member(place, "size")));
  out.annotations = TRY(text_map_of(member(place, "annotations")));
  if (const auto platform = member(place, "platform"); platform.value != nullptr) {
    TRY(required_object(platform));
    out.platform = OciPlatform{TRY(text_of(member(platform, "os"))), TRY(text_of(member(platform, "architecture"))),
                               TRY(text_of(member(platform, "variant")))};
  }
  return out;
}

Status check_schema_version(const Place& root) {
  const auto version = member(root, "schemaVersion");
  if (version.value == nullptr || *version.value != 2) {
    return wrong("schemaVersion", "must be 2 (older Docker manifests carry no digests to verify)");
  }
  return {};
}

json to_json(const OciDescriptor& descriptor) {
  json out = {{"mediaType", descriptor.media_type}, {"digest", descriptor.digest.text()}, {"size", descriptor.size}};
  if (!descriptor.annotations.empty()) out["annotations"] = descriptor.annotations;
  if (descriptor.platform) {
    out["platform"] = {{"os", descriptor.platform->os}, {"architecture", descriptor.platform->architecture}};
    if (!descriptor.platform->variant.empty()) out["platform"]["variant"] = descriptor.platform->variant;
  }
  return out;
}

// Texts may hold bytes that are not UTF-8 when they came from elsewhere than JSON: replace them instead of throwing.
std::string dump(const json& document) { return document.dump(-1, ' ', false, json::error_handler_t::replace); }

json set_of(const std::vector<std::string>& keys) {
  json out = json::object();
  for (const auto& key : keys) out[key] = json::object();
  return out;
}

}  // namespace

Result<OciDocumentKind> oci_document_kind(std::string_view text) {
  const json document = TRY(parse(text, "manifest", kMaxManifestBytes));
  const Place root{&document, ""};
  const auto type = TRY(text_of(member(root, "mediaType")));
  if (type == kMediaTypeOciIndex || type == kMediaTypeDockerList) return OciDocumentKind::kIndex;
  if (type == kMediaTypeOciManifest || type == kMediaTypeDockerManifest) return OciDocumentKind::kManifest;
  if (!type.empty()) return fail(ErrorCode::kUnsupported, cat("manifest of media type \"", type.substr(0, 128), "\""));
  const bool manifests = member(root, "manifests").value != nullptr;
  const bool config = member(root, "config").value != nullptr;
  // A document that can be read both ways is an attack on whoever reads it the other way (OCI advisory GHSA-mc8v-mgrf).
  if (manifests == config) return wrong("manifest", "is neither an image manifest nor an index");
  return manifests ? OciDocumentKind::kIndex : OciDocumentKind::kManifest;
}

Result<OciManifest> parse_oci_manifest(std::string_view text) {
  const json document = TRY(parse(text, "image manifest", kMaxManifestBytes));
  const Place root{&document, ""};
  TRY(check_schema_version(root));
  OciManifest out;
  out.media_type = TRY(text_of(member(root, "mediaType")));
  out.config = TRY(descriptor_of(member(root, "config")));
  if (out.config.size > kMaxImageConfigBytes) return wrong("config.size", "is too large");
  for (const auto& layer : TRY(list_of(member(root, "layers"), kMaxLayers))) {
    out.layers.push_back(TRY(descriptor_of(layer)));
  }
  return out;
}

Result<OciIndex> parse_oci_index(std::string_view text) {
  const json document = TRY(parse(text, "image index", kMaxManifestBytes));
  const Place root{&document, ""};
  TRY(check_schema_version(root));
  OciIndex out;
  for (const auto& manifest : TRY(list_of(member(root, "manifests"), kMaxIndexEntries))) {
    out.manifests.push_back(TRY(descriptor_of(manifest)));
  }
  return out;
}

Result<OciImageConfig> parse_oci_image_config(std::string_view text) {
  const json document = TRY(parse(text, "image configuration", kMaxImageConfigBytes));
  const Place root{&document, ""};
  OciImageConfig out;
  out.config.architecture = TRY(text_of(member(root, "architecture")));
  out.config.os = TRY(text_of(member(root, "os")));
  out.config.created = TRY(text_of(member(root, "created")));
  const auto rootfs = member(root, "rootfs");
  TRY(required_object(rootfs));
  for (const auto& id : TRY(list_of(member(rootfs, "diff_ids"), kMaxLayers))) {
    out.diff_ids.push_back(TRY(digest_of(id)));
  }
  const auto config = member(root, "config");
  if (config.value == nullptr) return out;
  TRY(required_object(config));
  out.config.entrypoint = TRY(texts_of(member(config, "Entrypoint")));
  out.config.cmd = TRY(texts_of(member(config, "Cmd")));
  out.config.env = TRY(texts_of(member(config, "Env")));
  out.config.workdir = TRY(text_of(member(config, "WorkingDir")));
  out.config.user = TRY(text_of(member(config, "User")));
  out.config.exposed_ports = TRY(keys_of(member(config, "ExposedPorts")));
  out.config.volumes = TRY(keys_of(member(config, "Volumes")));
  out.config.labels = TRY(text_map_of(member(config, "Labels")));
  out.config.stop_signal = TRY(text_of(member(config, "StopSignal")));
  return out;
}

Result<std::vector<std::string>> parse_docker_archive_names(std::string_view text) {
  // The document is a list; the rules above are for objects.
  const std::string wrapped = cat(R"({"images":)", text, "}");
  const json document = TRY(parse(wrapped, "manifest.json", kMaxManifestBytes));
  const auto images = TRY(list_of(member({&document, ""}, "images"), kMaxIndexEntries));
  if (images.size() != 1) {
    return fail(ErrorCode::kUnsupported, cat("the archive holds ", images.size(), " images"), "save them one by one");
  }
  TRY(required_object(images[0]));
  return texts_of(member(images[0], "RepoTags"));
}

namespace {

struct LayerType {
  std::string_view media_type;
  LayerCompression compression;
};
// The first of each compression is the one we write.
constexpr LayerType kLayerTypes[] = {
    {"application/vnd.oci.image.layer.v1.tar", LayerCompression::kNone},
    {"application/vnd.oci.image.layer.v1.tar+gzip", LayerCompression::kGzip},
    {"application/vnd.oci.image.layer.v1.tar+zstd", LayerCompression::kZstd},
    {"application/vnd.docker.image.rootfs.diff.tar", LayerCompression::kNone},
    {"application/vnd.docker.image.rootfs.diff.tar.gzip", LayerCompression::kGzip},
    {"application/vnd.docker.image.rootfs.diff.tar.zstd", LayerCompression::kZstd},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar", LayerCompression::kNone},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", LayerCompression::kGzip},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", LayerCompression::kZstd},
};

}  // namespace

Result<LayerCompression> layer_compression(std::string_view media_type) {
  const auto* const found = std::ranges::find(kLayerTypes, media_type, &LayerType::media_type);
  if (found == std::end(kLayerTypes)) {
    return fail(ErrorCode::kUnsupported, cat("layer of media type \"", media_type.substr(0, 128), "\""));
  }
  return found->compression;
}

std::string_view layer_media_type(LayerCompression compression) {
  return std::ranges::find(kLayerTypes, compression, &LayerType::compression)->media_type;
}

std::string format_oci_manifest(const OciManifest& manifest) {
  json layers = json::array();
  for (const auto& layer : manifest.layers) layers.push_back(to_json(layer));
  return dump({{"schemaVersion", 2},
               {"mediaType", manifest.media_type.empty() ? std::string(kMediaTypeOciManifest) : manifest.media_type},
               {"config", to_json(manifest.config)},
               {"layers", std::move(layers)}});
}

std::string format_oci_index(const OciIndex& index) {
  json manifests = json::array();
  for (const auto& manifest : index.manifests) manifests.push_back(to_json(manifest));
  return dump({{"schemaVersion", 2}, {"mediaType", kMediaTypeOciIndex}, {"manifests", std::move(manifests)}});
}

std::string format_oci_image_config(const OciImageConfig& config) {
  const ImageConfig& from = config.config;
  json run = json::object();
  if (!from.entrypoint.empty()) run["Entrypoint"] = from.entrypoint;
  if (!from.cmd.empty()) run["Cmd"] = from.cmd;
  if (!from.env.empty()) run["Env"] = from.env;
  if (!from.workdir.empty()) run["WorkingDir"] = from.workdir;
  if (!from.user.empty()) run["User"] = from.user;
  if (!from.exposed_ports.empty()) run["ExposedPorts"] = set_of(from.exposed_ports);
  if (!from.volumes.empty()) run["Volumes"] = set_of(from.volumes);
  if (!from.labels.empty()) run["Labels"] = from.labels;
  if (!from.stop_signal.empty()) run["StopSignal"] = from.stop_signal;
  json diff_ids = json::array();
  for (const auto& id : config.diff_ids) diff_ids.push_back(id.text());
  json out = {{"architecture", from.architecture},
              {"os", from.os},
              {"config", std::move(run)},
              {"rootfs", {{"type", "layers"}, {"diff_ids", std::move(diff_ids)}}}};
  if (!from.created.empty()) out["created"] = from.created;
  return dump(out);
}

std::string_view oci_layout_file() { return R"({"imageLayoutVersion":"1.0.0"})"; }

}  // namespace skerry::wire
