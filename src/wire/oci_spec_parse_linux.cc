#include "wire/oci_spec_read.h"

namespace skerry::oci {
namespace {

void read_time_offsets(const reader::JsonReader& json, std::map<std::string, TimeOffset>& out) {
  json.each_member([&](const std::string& name, const reader::JsonReader& value) {
    if (name != "monotonic" && name != "boottime") return value.complain("the clock is not monotonic or boottime");
    value.get("secs", out[name].secs);
    value.get("nanosecs", out[name].nanosecs);
    if (out[name].nanosecs > 999'999'999) value.complain_at("nanosecs", "must be below 1000000000");
  });
}

void read_intel_rdt(const reader::JsonReader& json, IntelRdt& out) {
  json.get("closID", out.clos_id);
  if (out.clos_id.find('/') != std::string::npos || out.clos_id == "." || out.clos_id == "..") {
    json.complain_at("closID", "is not a name of a control group");
  }
  json.get("l3CacheSchema", out.l3_cache_schema);
  json.get("memBwSchema", out.mem_bw_schema);
  json.get("schemata", out.schemata);
  json.get("enableCMT", out.enable_cmt);
  json.get("enableMBM", out.enable_mbm);
  json.get("enableMonitoring", out.enable_monitoring);
}

void read_personality(const reader::JsonReader& json, Personality& out) {
  json.require("domain", out.domain);
  if (!json.failed()) json.expect_one_of("domain", out.domain, {"LINUX", "LINUX32"});
  json.get("flags", out.flags);
}

void read_memory_policy(const reader::JsonReader& json, MemoryPolicy& out) {
  json.require("mode", out.mode);
  if (!json.failed()) {
    json.expect_one_of("mode", out.mode,
                       {"MPOL_DEFAULT", "MPOL_BIND", "MPOL_INTERLEAVE", "MPOL_WEIGHTED_INTERLEAVE", "MPOL_PREFERRED",
                        "MPOL_PREFERRED_MANY", "MPOL_LOCAL"});
  }
  json.get("nodes", out.nodes);
  json.get("flags", out.flags);
}

void read_net_devices(const reader::JsonReader& json, std::map<std::string, NetDevice>& out) {
  json.each_member([&](const std::string& name, const reader::JsonReader& value) {
    constexpr std::size_t kMaxName = 15;  // IFNAMSIZ without the NUL
    if (name.empty() || name.size() > kMaxName) return value.complain("is not an interface name (1 to 15 characters)");
    auto& device = out[name];
    value.get("name", device.name);
    if (device.name.size() > kMaxName) value.complain_at("name", "is longer than 15 characters");
    // What the kernel takes for a name (dev_valid_name); "%d" alone is a template.
    const auto percent = device.name.find('%');
    const bool odd = device.name == "." || device.name == ".." ||
                     device.name.find_first_of("/: \t\n\v\f\r") != std::string::npos ||
                     (percent != std::string::npos && device.name.find("%d") != percent) ||
                     device.name.find('%', percent + 1) != std::string::npos;
    if (odd) value.complain_at("name", "is not an interface name");
  });
}

// config-linux.md: "Duplicate namespace types … MUST generate an error".
void check_namespaces(const reader::JsonReader& json, const std::vector<Namespace>& namespaces) {
  for (std::size_t i = 0; i < namespaces.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (namespaces[i].type == namespaces[j].type) {
        return json.complain_at("namespaces", cat("\"", namespaces[i].type, "\" appears twice"));
      }
    }
  }
}

}  // namespace

void read_value(const reader::JsonReader& json, IdMapping& out) {
  json.get("containerID", out.container_id);
  json.get("hostID", out.host_id);
  json.get("size", out.size);
  if (!json.failed() && out.size == 0) json.complain_at("size", "must be greater than zero");
}

void read_value(const reader::JsonReader& json, Mount& out) {
  json.require("destination", out.destination);
  json.get("type", out.type);
  json.get("source", out.source);
  json.get("options", out.options);
  json.get("uidMappings", out.uid_mappings);
  json.get("gidMappings", out.gid_mappings);
  if (!json.failed() && out.uid_mappings.empty() != out.gid_mappings.empty()) {
    json.complain("uidMappings and gidMappings go together");
  }
}

void read_value(const reader::JsonReader& json, Namespace& out) {
  json.require("type", out.type);
  if (json.failed()) return;
  json.expect_one_of("type", out.type, {"pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"});
  json.get("path", out.path);
  if (!out.path.empty() && out.path.front() != '/') json.complain_at("path", "must be absolute");
}

void read_value(const reader::JsonReader& json, Device& out) {
  json.require("type", out.type);
  if (json.failed()) return;
  json.expect_one_of("type", out.type, {"c", "b", "u", "p"});
  json.require("path", out.path);
  if (!json.failed() && out.path.front() != '/') json.complain_at("path", "must be absolute");
  json.get("major", out.major);
  json.get("minor", out.minor);
  if (out.major < 0) json.complain_at("major", "must not be negative");
  if (out.minor < 0) json.complain_at("minor", "must not be negative");
  json.get("fileMode", out.file_mode);
  json.get("uid", out.uid);
  json.get("gid", out.gid);
}

void read_value(const reader::JsonReader& json, Linux& out) {
  json.get("namespaces", out.namespaces);
  check_namespaces(json, out.namespaces);
  json.get("uidMappings", out.uid_mappings);
  json.get("gidMappings", out.gid_mappings);
  if (const auto offsets = json.member("timeOffsets")) read_time_offsets(*offsets, out.time_offsets);
  json.get("devices", out.devices);
  json.get("cgroupsPath", out.cgroups_path);
  json.get("resources", out.resources);
  json.get("rootfsPropagation", out.rootfs_propagation);
  if (!out.rootfs_propagation.empty()) {
    json.expect_one_of("rootfsPropagation", out.rootfs_propagation,
                       {"private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable"});
  }
  json.get("maskedPaths", out.masked_paths);
  json.get("readonlyPaths", out.readonly_paths);
  json.get("mountLabel", out.mount_label);
  if (const auto sysctl = json.member("sysctl")) read_strings(*sysctl, out.sysctl);
  json.get("seccomp", out.seccomp);
  if (const auto personality = json.member("personality")) read_personality(*personality, out.personality.emplace());
  if (const auto rdt = json.member("intelRdt")) read_intel_rdt(*rdt, out.intel_rdt.emplace());
  if (const auto devices = json.member("netDevices")) read_net_devices(*devices, out.net_devices);
  if (const auto policy = json.member("memoryPolicy")) read_memory_policy(*policy, out.memory_policy.emplace());
}

}  // namespace skerry::oci
