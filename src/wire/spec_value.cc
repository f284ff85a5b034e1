#include "core/net.h"
#include "wire/spec_fields.h"

namespace skerry::wire {
namespace {

void put_text(OrderedJson& out, const char* name, const std::string& value) {
  if (!value.empty()) out[name] = value;
}
template <typename Container>
void put_all(OrderedJson& out, const char* name, const Container& value) {
  if (!value.empty()) out[name] = value;
}
void put_flag(OrderedJson& out, const char* name, bool value) {
  if (value) out[name] = true;
}

OrderedJson security_value(const Security& security) {
  OrderedJson out = OrderedJson::object();
  put_flag(out, "read_only_root", security.read_only_root);
  put_flag(out, "user_namespace", security.user_namespace);
  put_flag(out, "allow_new_privileges", security.allow_new_privileges);
  put_all(out, "cap_add", security.cap_add);
  put_all(out, "cap_drop", security.cap_drop);
  put_text(out, "seccomp_profile", security.seccomp_profile);
  return out;
}

OrderedJson port_value(const PublishedPort& port) {
  OrderedJson out;
  put_text(out, "host_ip", port.host_ip);
  out["host_port"] = port.host_port;
  out["guest_port"] = port.guest_port;
  out["protocol"] = to_text(port.protocol);
  return out;
}

OrderedJson artifact_value(const Artifact& artifact) {
  OrderedJson out;
  out["url"] = artifact.url;
  out["checksum"] = artifact.checksum;
  put_text(out, "format", artifact.format);
  return out;
}

OrderedJson cloud_init_value(const CloudInit& cloud_init) {
  OrderedJson out = OrderedJson::object();
  put_text(out, "user_data", cloud_init.user_data);
  put_text(out, "network_config", cloud_init.network_config);
  put_text(out, "vendor_data", cloud_init.vendor_data);
  return out;
}

OrderedJson action_value(const WorkloadAction& action) {
  OrderedJson out;
  put_text(out, "description", action.description);
  out["method"] = action.method;
  out["path"] = action.path;
  out["timeout_ms"] = action.timeout_ms;
  return out;
}

OrderedJson health_check_value(const HealthCheck& check) {
  constexpr const char* kProbes[] = {"http", "tcp", "exec"};
  OrderedJson out;
  out["probe"] = kProbes[static_cast<std::size_t>(check.probe)];
  put_text(out, "endpoint", check.endpoint);
  put_all(out, "command", check.command);
  out["interval_ms"] = check.interval_ms;
  out["timeout_ms"] = check.timeout_ms;
  out["retries"] = check.retries;
  return out;
}

void put_attachments(OrderedJson& out, const EnvironmentSpec& spec) {
  for (const auto& mount : spec.mounts) {
    out["mounts"].push_back({{"source", mount.source}, {"target", mount.target}, {"readonly", mount.read_only}});
  }
  for (const auto& mount : spec.tmpfs) {
    out["tmpfs"].push_back({{"target", mount.target}, {"size_mb", mount.size_mib}});
  }
  for (const auto& port : spec.ports) out["ports"].push_back(port_value(port));
}

}  // namespace

OrderedJson cores_value(std::uint32_t cpu_milli) {
  if (cpu_milli % kMilliPerCore == 0) return cpu_milli / kMilliPerCore;
  return static_cast<double>(cpu_milli) / kMilliPerCore;
}

OrderedJson spec_value(const EnvironmentSpec& spec) {
  OrderedJson out;
  out["name"] = spec.name;
  put_text(out, "hostname", spec.hostname);
  out["isolation"] = to_text(spec.isolation);
  out["kind"] = to_text(spec.kind);
  out["zone"] = spec.zone;
  put_text(out, "image", spec.image);
  put_text(out, "rootfs_path", spec.rootfs_path);
  put_text(out, "plugin", spec.plugin);
  put_text(out, "plugin_version", spec.plugin_version);
  put_text(out, "deployment", spec.deployment);
  put_all(out, "entrypoint", spec.entrypoint);
  put_all(out, "command", spec.command);
  put_all(out, "env", spec.env);
  put_text(out, "workdir", spec.workdir);
  put_text(out, "user", spec.user);
  put_flag(out, "terminal", spec.terminal);
  put_flag(out, "stdin_open", spec.stdin_open);
  put_flag(out, "auto_remove", spec.auto_remove);
  out["resources"] = {{"cpu_cores", cores_value(spec.resources.cpu_milli)},
                      {"memory_mb", spec.resources.memory_mib},
                      {"pids", spec.resources.pids}};
  if (spec.security != Security{}) out["security"] = security_value(spec.security);
  put_attachments(out, spec);
  put_all(out, "dns", spec.dns);
  if (spec.restart != RestartPolicy{}) {
    out["restart"] = {
        {"policy", to_text(spec.restart.mode)}, {"max", spec.restart.max}, {"backoff_ms", spec.restart.backoff_ms}};
  }
  if (spec.health_check) out["health_check"] = health_check_value(*spec.health_check);
  if (spec.root_disk) out["rootfs"] = artifact_value(*spec.root_disk);
  if (spec.initramfs) out["initramfs"] = artifact_value(*spec.initramfs);
  if (spec.cloud_init) out["cloud_init"] = cloud_init_value(*spec.cloud_init);
  if (!spec.devices.addresses.empty()) {
    out["devices"] = {{"pci_passthrough", spec.devices.addresses}, {"allowlist", spec.devices.allowed}};
  }
  put_text(out, "base_url", spec.base_url);
  for (const auto& [name, action] : spec.actions) out["actions"][name] = action_value(action);
  put_all(out, "labels", spec.labels);
  return out;
}

}  // namespace skerry::wire
