#include "wire/plugin_manifest.h"

#include <algorithm>

#include "wire/json_fields.h"
#include "wire/spec_fields.h"

namespace skerry::wire {
namespace {

void read_disks(ObjectReader& fields, std::vector<ManifestDisk>& disks) {
  fields.objects(
      "disks",
      [&](ObjectReader& inner) {
        ManifestDisk disk;
        inner.text("name", disk.name, 64);
        inner.text("source", disk.source, 4096);
        inner.text("checksum", disk.checksum, 128);
        inner.text("format", disk.format, 32);
        inner.flag("readonly", disk.read_only);
        inner.text("target", disk.target, 4096);
        inner.required("name");
        inner.required("source");
        inner.required("checksum");
        inner.finish(Unknown::kRefuse);
        disks.push_back(std::move(disk));
      },
      16);
}

void read_workload(ObjectReader& fields, ManifestWorkload& workload) {
  fields.object("workload", [&](ObjectReader& inner) {
    inner.text("type", workload.type, 64);
    inner.texts("entrypoint", workload.entrypoint);
    inner.pairs("env", workload.env);
    inner.text("workdir", workload.workdir, 4095);
    inner.text("base_url", workload.base_url, 2048);
    inner.text("user", workload.user, 256);
    inner.finish(Unknown::kRefuse);
  });
}

void read_manifest_resources(ObjectReader& fields, ManifestResources& resources) {
  fields.object("resources", [&](ObjectReader& inner) {
    std::uint32_t cpu_milli = 0;
    read_cores(inner, "cpu_cores", cpu_milli);
    if (inner.has("cpu_cores")) resources.cpu_milli = cpu_milli;
    std::uint32_t memory_mib = 0;
    inner.number("memory_mb", memory_mib, 1U);
    if (inner.has("memory_mb")) resources.memory_mib = memory_mib;
    inner.finish(Unknown::kRefuse);
  });
}

void read_network(ObjectReader& fields, PluginManifest& manifest) {
  fields.object("network", [&](ObjectReader& inner) {
    inner.text("mode", manifest.network_mode, 32);
    read_ports(inner, manifest.ports);
    inner.finish(Unknown::kRefuse);
  });
}

void read_warm_pool(ObjectReader& fields, WarmPoolWish& wish) {
  fields.object("warm_pool", [&](ObjectReader& inner) {
    std::string mode(to_text(wish.mode));
    inner.text("mode", mode, 16);
    if (auto parsed = parse_warm_mode(mode)) {
      wish.mode = *parsed;
    } else {
      inner.error("mode", parsed.error().step);
    }
    inner.number("size", wish.size, 1U, kMostWarm);
    inner.required("mode");
    inner.finish(Unknown::kRefuse);
  });
}

void read_manifest(ObjectReader& fields, PluginManifest& manifest) {
  fields.text("schema_version", manifest.schema_version, 16);
  fields.text("name", manifest.name, 64);
  fields.text("version", manifest.version, 128);
  fields.text("runtime", manifest.runtime, 128);
  // A guest is told on its kernel's command line, where a quote cannot be said.
  const auto is_plain = [](unsigned char letter) { return letter >= ' ' && letter != 0x7f && letter != '"'; };
  if (!std::ranges::all_of(manifest.runtime, is_plain)) {
    fields.error("runtime", "must hold no quotes and no control characters");
  }
  fields.flag("enabled", manifest.enabled);
  fields.text("image", manifest.image, 1024);
  fields.text("image_digest", manifest.image_digest, 128);
  fields.pairs("labels", manifest.labels);
  read_manifest_resources(fields, manifest.resources);
  read_artifact(fields, "rootfs", manifest.rootfs);
  read_artifact(fields, "initramfs", manifest.initramfs);
  read_disks(fields, manifest.disks);
  read_workload(fields, manifest.workload);
  read_health_check(fields, manifest.health_check);
  RestartPolicy restart;
  read_restart(fields, restart);
  if (fields.has("restart")) manifest.restart = restart;
  read_actions(fields, manifest.actions);
  read_network(fields, manifest);
  read_devices(fields, manifest.devices);
  read_cloud_init(fields, manifest.cloud_init);
  read_warm_pool(fields, manifest.warm_pool);
  fields.text("signature", manifest.signature, 4096);
  fields.required("name");
  fields.required("version");
}

}  // namespace

Result<PluginManifest> parse_plugin_manifest(std::string_view text) {
  const Json json = TRY(parse_json(text, "manifest", kMaxManifestBytes));
  if (!json.is_object()) return fail(ErrorCode::kInvalidArgument, "manifest: must be a JSON object");
  FieldErrors errors;
  PluginManifest manifest;
  ObjectReader fields(json, {}, errors);
  read_manifest(fields, manifest);
  fields.finish(Unknown::kRefuse);
  TRY(errors.status());
  TRY(validate(manifest));
  return manifest;
}

namespace {

Result<Json> parse_document(std::string_view text) {
  Json json = TRY(parse_json(text, "manifest", kMaxManifestBytes));
  if (!json.is_object()) return fail(ErrorCode::kInvalidArgument, "manifest: must be a JSON object");
  return json;
}

}  // namespace

Result<std::string> with_signature(std::string_view text, const std::string& signature) {
  Json json = TRY(parse_document(text));
  json["signature"] = signature;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<std::string> signed_text(std::string_view text) {
  Json json = TRY(parse_document(text));
  json.erase("signature");
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace skerry::wire
