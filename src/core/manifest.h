// PluginManifest: what a plugin says about itself: which artifacts, how to run them, what it needs.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/environment.h"
#include "core/warm_pool.h"

namespace skerry {

using ManifestArtifact = Artifact;
using ManifestAction = WorkloadAction;

struct ManifestDisk {
  std::string name;
  std::string source;
  std::string checksum;
  std::string format = "raw";
  bool read_only = false;
  std::string target;  // where it appears inside: a device name or a path
  bool operator==(const ManifestDisk&) const = default;
};

struct ManifestWorkload {
  std::string type;  // "http" when base_url is served, else free text
  std::vector<std::string> entrypoint;
  std::map<std::string, std::string> env;
  std::string workdir;
  std::string base_url;  // where the workload listens inside: the agent's proxy forwards there
  std::string user;
  bool operator==(const ManifestWorkload&) const = default;
};

struct ManifestResources {
  std::optional<std::uint32_t> cpu_milli;
  std::optional<std::uint32_t> memory_mib;
  bool operator==(const ManifestResources&) const = default;
};

struct PluginManifest {
  std::string schema_version = "1";
  std::string name;  // DNS label
  std::string version;
  std::string runtime;  // free text; shown, and told to the guest
  bool enabled = true;
  std::string image;         // reference of an OCI image
  std::string image_digest;  // and the manifest it must be: "sha256:…"; may be empty
  std::map<std::string, std::string> labels;
  ManifestResources resources;
  std::optional<ManifestArtifact> rootfs;
  std::optional<ManifestArtifact> initramfs;
  std::vector<ManifestDisk> disks;
  ManifestWorkload workload;
  std::optional<HealthCheck> health_check;
  std::optional<RestartPolicy> restart;
  std::map<std::string, ManifestAction> actions;
  std::string network_mode = "bridge";  // nothing else yet
  std::vector<PublishedPort> ports;
  DevicePassthrough devices;
  std::optional<CloudInit> cloud_init;
  WarmPoolWish warm_pool;  // microVMs of it that are made before anybody asks
  std::string signature;   // minisign, over the document without this field
  bool operator==(const PluginManifest&) const = default;
};

// What is wrong with it by itself, kInvalidArgument, or cannot be done, kUnsupported. Both name the field.
Status validate(const PluginManifest& manifest);

// Whether a request said how strongly to isolate, or left it open.
enum class IsolationWish : bool { kOpen, kAsked };

// Whether a request said when to restart ("no" as well), or left it open.
enum class RestartWish : bool { kOpen, kAsked };

// Which resources a request said, be it what is given anyway.
struct ResourceWishes {
  bool cpu = false;
  bool memory = false;
  bool operator==(const ResourceWishes&) const = default;
};

// A creation request for this plugin, completed: what the request leaves at its default comes from the manifest. A
// plugin of disks, without an image, is a microVM when the request leaves the isolation open; its restart policy counts
// when the request leaves that open; so do its cores and memory. kInvalidArgument / kUnsupported when the two do not go
// together.
Result<EnvironmentSpec> apply_manifest(EnvironmentSpec spec, const PluginManifest& manifest, IsolationWish wish,
                                       RestartWish restart, ResourceWishes resources = {});

}  // namespace skerry
