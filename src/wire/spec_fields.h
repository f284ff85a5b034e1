// The fields of an environment's specification, read and written one group at a time; shared by the stored form, the
// creation request, the run configuration and the plugin manifest.
//
// For the .cc files of wire/ only: it includes the heavy JSON header.
#pragma once

#include <string>

#include "core/environment.h"
#include "wire/json_fields.h"
#include "wire/spec_texts.h"

namespace skerry::wire {

using OrderedJson = nlohmann::ordered_json;

// cpu_cores (may be a fraction) to thousandths, and back to the shortest number.
void read_cores(ObjectReader& fields, const char* name, std::uint32_t& cpu_milli);
OrderedJson cores_value(std::uint32_t cpu_milli);

// cpu_cores, memory_mb, pids.
void read_resources(ObjectReader& fields, Resources& resources);
// "ports": strings or objects {host_ip, host_port, guest_port, protocol}.
void read_ports(ObjectReader& fields, std::vector<PublishedPort>& ports);
// `name`: strings "SRC:DST[:ro]" or objects {source, target, readonly}.
void read_mounts(ObjectReader& fields, const char* name, std::vector<BindMount>& mounts);
// "tmpfs": objects {target, size_mb}.
void read_tmpfs(ObjectReader& fields, std::vector<TmpfsMount>& tmpfs);
// "restart": a string as on the command line, or an object {policy, max, backoff_ms}.
void read_restart(ObjectReader& fields, RestartPolicy& restart);
// "health_check".
void read_health_check(ObjectReader& fields, std::optional<HealthCheck>& check);
// `name`: an object {url, checksum, format}.
void read_artifact(ObjectReader& fields, const char* name, std::optional<Artifact>& into);
// "cloud_init": an object {user_data, network_config, vendor_data}.
void read_cloud_init(ObjectReader& fields, std::optional<CloudInit>& into);
// "devices": an object {pci_passthrough, allowlist}, both arrays of strings.
void read_devices(ObjectReader& fields, DevicePassthrough& devices);
// "actions": an object of objects {description, method, path, timeout_ms}.
void read_actions(ObjectReader& fields, std::map<std::string, WorkloadAction>& actions);
// "plugin": NAME or NAME@VERSION, and "plugin_version".
void read_plugin(ObjectReader& fields, std::string& name, std::string& version);
// All of the above and every other field of the specification.
void read_spec(ObjectReader& fields, EnvironmentSpec& spec);

// Every field that is not at its default (name, isolation, kind, zone, resources always).
OrderedJson spec_value(const EnvironmentSpec& spec);

}  // namespace skerry::wire
