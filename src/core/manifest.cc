#include "core/manifest.h"

#include "base/text.h"
#include "core/digest.h"
#include "core/image.h"

namespace skerry {
namespace {

auto wrong(std::string_view field, std::string_view why) {
  return fail(ErrorCode::kInvalidArgument, cat(field, ": ", why));
}

// Only what can start from a memory snapshot can be prepared.
Status validate_warm_pool(const PluginManifest& manifest) {
  const auto& wish = manifest.warm_pool;
  if (wish.size < 1 || wish.size > kMostWarm) return wrong("warm_pool.size", cat("must be 1 to ", kMostWarm));
  if (wish.mode == WarmMode::kOff) return {};
  if (manifest.image.empty() && !manifest.rootfs) {
    return wrong("warm_pool", "a plugin of an initramfs alone always boots: it needs an image or a rootfs");
  }
  if (manifest.cloud_init) return wrong("warm_pool", "a guest with cloud_init always boots");
  if (!manifest.devices.addresses.empty()) return wrong("warm_pool", "a guest with PCI devices always boots");
  return {};
}

}  // namespace

Status validate(const PluginManifest& manifest) {
  if (manifest.schema_version != "1" && manifest.schema_version != "1.0") {
    return wrong("schema_version", cat("\"", manifest.schema_version, "\" is not known; this Skerry reads \"1\""));
  }
  if (!is_dns_label(manifest.name)) return wrong("name", "must be 1 to 63 of a-z, 0-9 and '-'");
  if (manifest.version.empty()) return wrong("version", "missing");
  if (manifest.image.empty() && !manifest.rootfs && !manifest.initramfs) {
    return wrong("image", "missing: a plugin needs an image, a rootfs or an initramfs");
  }
  if (!manifest.image.empty() && (manifest.rootfs || manifest.initramfs)) {
    return wrong(manifest.rootfs ? "rootfs" : "initramfs", "not together with image: it would not be used");
  }
  if (!manifest.image.empty()) TRY_IN("image", ImageReference::parse(manifest.image));
  if (!manifest.image_digest.empty()) TRY_IN("image_digest", Digest::parse(manifest.image_digest));
  if (manifest.rootfs) TRY(validate_artifact(*manifest.rootfs, "rootfs"));
  if (manifest.initramfs) TRY(validate_artifact(*manifest.initramfs, "initramfs"));
  if (manifest.cloud_init) TRY(validate_cloud_init(*manifest.cloud_init));
  TRY(validate_warm_pool(manifest));
  TRY(validate_devices(manifest.devices));
  for (std::size_t i = 0; i < manifest.disks.size(); ++i) {
    if (!Digest::parse(manifest.disks[i].checksum)) {
      return wrong(cat("disks[", i, "].checksum"), "must be sha256: and 64 hexadecimal digits");
    }
  }
  if (!manifest.disks.empty()) {
    return fail(ErrorCode::kUnsupported, "disks: extra disks cannot be attached in this version");
  }
  if (manifest.network_mode == "none") {
    return fail(ErrorCode::kUnsupported, "network.mode: \"none\" is not possible in this version");
  }
  if (manifest.network_mode != "bridge") return wrong("network.mode", "must be \"bridge\"");
  if (manifest.health_check) TRY(validate_health_check(*manifest.health_check));
  TRY(validate_base_url(manifest.workload.base_url, "workload.base_url"));
  return validate_actions(manifest.actions);
}

namespace {

template <typename T>
void fill(T& value, const T& from) {
  if (value == T{}) value = from;
}

}  // namespace

namespace {

// cloud-init reads a disk: only a machine has some.
Status take_cloud_init(EnvironmentSpec& spec, const PluginManifest& manifest, IsolationWish wish) {
  if (!manifest.cloud_init) return {};
  if (spec.isolation == Isolation::kContainer && wish == IsolationWish::kOpen) spec.isolation = Isolation::kMicrovm;
  if (spec.isolation != Isolation::kMicrovm) {
    return fail(ErrorCode::kUnsupported, cat("plugin \"", manifest.name, "\" has cloud_init: it is a microVM"),
                "use --isolation microvm");
  }
  if (!spec.cloud_init) spec.cloud_init = manifest.cloud_init;
  return {};
}

// Only a machine has a bus to put them on.
Status take_devices(EnvironmentSpec& spec, const PluginManifest& manifest, IsolationWish wish) {
  if (manifest.devices.addresses.empty()) return {};
  if (!spec.devices.addresses.empty()) {
    return wrong("devices", cat("plugin \"", manifest.name, "\" says which it gets"));
  }
  if (spec.isolation == Isolation::kContainer && wish == IsolationWish::kOpen) spec.isolation = Isolation::kMicrovm;
  if (spec.isolation != Isolation::kMicrovm) {
    return fail(ErrorCode::kUnsupported, cat("plugin \"", manifest.name, "\" gets PCI devices: it is a microVM"),
                "use --isolation microvm");
  }
  spec.devices = manifest.devices;
  return {};
}

// What the plugin runs: its image, or its own disks.
Status take_source(EnvironmentSpec& spec, const PluginManifest& manifest, IsolationWish wish) {
  if (!manifest.image.empty()) {
    // The digest pins it: a tag that has moved meanwhile is another image.
    if (spec.image.empty()) spec.image = manifest.image_digest.empty() ? manifest.image : manifest.image_digest;
    return {};
  }
  if (!spec.image.empty()) return wrong("image", cat("plugin \"", manifest.name, "\" brings its own disks"));
  if (spec.isolation == Isolation::kContainer && wish == IsolationWish::kOpen) spec.isolation = Isolation::kMicrovm;
  if (spec.isolation != Isolation::kMicrovm) {
    return fail(ErrorCode::kUnsupported, cat("plugin \"", manifest.name, "\" has disks and no image: it is a microVM"),
                "use --isolation microvm");
  }
  spec.root_disk = manifest.rootfs;
  spec.initramfs = manifest.initramfs;
  return {};
}

void take_resources(Resources& into, const ManifestResources& from, ResourceWishes wishes) {
  const Resources defaults;
  if (!wishes.cpu && into.cpu_milli == defaults.cpu_milli) into.cpu_milli = from.cpu_milli.value_or(into.cpu_milli);
  if (!wishes.memory && into.memory_mib == defaults.memory_mib) {
    into.memory_mib = from.memory_mib.value_or(into.memory_mib);
  }
}

Status take_restart(EnvironmentSpec& spec, const PluginManifest& manifest, RestartWish wish) {
  if (wish == RestartWish::kAsked || spec.restart != RestartPolicy{} || !manifest.restart) return {};
  if (spec.auto_remove && manifest.restart->mode != RestartMode::kNo) {
    return fail(ErrorCode::kInvalidArgument,
                cat("restart: plugin \"", manifest.name, "\" is restarted (", to_text(manifest.restart->mode),
                    "), and what is removed on exit (--rm) cannot be"),
                "override the plugin's policy: restart \"no\" (--restart no)");
  }
  spec.restart = *manifest.restart;
  return {};
}

}  // namespace

Result<EnvironmentSpec> apply_manifest(EnvironmentSpec spec, const PluginManifest& manifest, IsolationWish wish,
                                       RestartWish restart, ResourceWishes resources) {
  TRY(take_source(spec, manifest, wish));
  TRY(take_cloud_init(spec, manifest, wish));
  TRY(take_devices(spec, manifest, wish));
  fill(spec.entrypoint, manifest.workload.entrypoint);
  fill(spec.workdir, manifest.workload.workdir);
  fill(spec.user, manifest.workload.user);
  for (const auto& [key, value] : manifest.workload.env) spec.env.emplace(key, value);
  for (const auto& [key, value] : manifest.labels) spec.labels.emplace(key, value);
  take_resources(spec.resources, manifest.resources, resources);
  fill(spec.ports, manifest.ports);
  fill(spec.base_url, manifest.workload.base_url);
  for (const auto& [name, action] : manifest.actions) spec.actions.emplace(name, action);
  if (!spec.health_check) spec.health_check = manifest.health_check;
  TRY(take_restart(spec, manifest, restart));
  return spec;
}

}  // namespace skerry
