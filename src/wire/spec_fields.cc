#include "wire/spec_fields.h"

#include <cmath>

#include "core/net.h"
#include "core/plugin_version.h"

namespace skerry::wire {
namespace {

// Reads a field that is one of the words parse_*() of core/environment.h knows.
template <typename T>
void read_word(ObjectReader& fields, const char* name, T& into, Result<T> (*parse)(std::string_view)) {
  std::string text;
  fields.text(name, text, 64);
  if (text.empty()) return;
  const auto value = parse(text);
  if (!value) return fields.error(name, value.error().message());
  into = *value;
}

void read_security(ObjectReader& fields, Security& security) {
  fields.object("security", [&](ObjectReader& inner) {
    inner.flag("read_only_root", security.read_only_root);
    inner.flag("user_namespace", security.user_namespace);
    inner.flag("allow_new_privileges", security.allow_new_privileges);
    inner.texts("cap_add", security.cap_add, 128);
    inner.texts("cap_drop", security.cap_drop, 128);
    inner.text("seccomp_profile", security.seccomp_profile, 4096);
    inner.finish(Unknown::kRefuse);
  });
}

void read_port_object(ObjectReader& inner, PublishedPort& port) {
  inner.text("host_ip", port.host_ip, 64);
  inner.number<std::uint16_t>("host_port", port.host_port, 1);
  inner.number<std::uint16_t>("guest_port", port.guest_port, 1);
  std::size_t protocol = 0;
  inner.word("protocol", protocol, {"tcp", "udp"});
  port.protocol = protocol == 1 ? Protocol::kUdp : Protocol::kTcp;
  inner.required("host_port");
  inner.required("guest_port");
  inner.finish(Unknown::kRefuse);
}

void read_mount_object(ObjectReader& inner, BindMount& mount) {
  inner.text("source", mount.source, 4095);
  inner.text("target", mount.target, 4095);
  inner.flag("readonly", mount.read_only);
  inner.required("source");
  inner.required("target");
  inner.finish(Unknown::kRefuse);
}

// A list whose items are strings (`parse`) or objects (`read`).
template <typename T>
void read_mixed(ObjectReader& fields, const char* name, std::vector<T>& into, Result<T> (*parse)(std::string_view),
                void (*read)(ObjectReader&, T&)) {
  std::vector<T> found;
  fields.items(name, [&](const Json& item, const std::string& path) {
    T value;
    if (item.is_string()) {
      auto parsed = parse(item.get_ref<const std::string&>());
      if (!parsed) return fields.errors().add(path, parsed.error().message());
      value = std::move(*parsed);
    } else {
      ObjectReader inner(item, path, fields.errors());
      read(inner, value);
    }
    found.push_back(std::move(value));
  });
  if (!found.empty()) into = std::move(found);
}

}  // namespace

void read_cores(ObjectReader& fields, const char* name, std::uint32_t& cpu_milli) {
  double cores = static_cast<double>(cpu_milli) / kMilliPerCore;
  fields.decimal(name, cores, 0.001, 100'000);
  cpu_milli = static_cast<std::uint32_t>(std::lround(cores * kMilliPerCore));
}

void read_resources(ObjectReader& fields, Resources& resources) {
  read_cores(fields, "cpu_cores", resources.cpu_milli);
  fields.number("memory_mb", resources.memory_mib);
  fields.number("pids", resources.pids);
}

void read_ports(ObjectReader& fields, std::vector<PublishedPort>& ports) {
  read_mixed<PublishedPort>(fields, "ports", ports, parse_published_port, read_port_object);
}

void read_mounts(ObjectReader& fields, const char* name, std::vector<BindMount>& mounts) {
  read_mixed<BindMount>(fields, name, mounts, parse_bind_mount, read_mount_object);
}

void read_tmpfs(ObjectReader& fields, std::vector<TmpfsMount>& tmpfs) {
  std::vector<TmpfsMount> found;
  fields.objects("tmpfs", [&](ObjectReader& inner) {
    TmpfsMount mount;
    inner.text("target", mount.target, 4095);
    inner.number("size_mb", mount.size_mib);
    inner.required("target");
    inner.finish(Unknown::kRefuse);
    found.push_back(std::move(mount));
  });
  if (!found.empty()) tmpfs = std::move(found);
}

void read_restart(ObjectReader& fields, RestartPolicy& restart) {
  fields.value("restart", [&](const Json& value, const std::string& path) {
    if (value.is_string()) {
      const auto parsed = parse_restart_policy(value.get_ref<const std::string&>());
      if (!parsed) return fields.errors().add(path, parsed.error().message());
      restart = *parsed;
      return;
    }
    ObjectReader inner(value, path, fields.errors());
    read_word<RestartMode>(inner, "policy", restart.mode, parse_restart_mode);
    inner.number("max", restart.max);
    inner.number("backoff_ms", restart.backoff_ms, 1U, kMaxBackoffMs);
    inner.finish(Unknown::kRefuse);
  });
}

void read_health_check(ObjectReader& fields, std::optional<HealthCheck>& check) {
  fields.object("health_check", [&](ObjectReader& inner) {
    HealthCheck found;
    std::size_t probe = 0;
    inner.word("probe", probe, {"http", "tcp", "exec"});
    found.probe = static_cast<HealthCheck::Probe>(probe);
    inner.text("endpoint", found.endpoint, 2048);
    inner.texts("command", found.command);
    inner.number("interval_ms", found.interval_ms, 10U, 86'400'000U);
    inner.number("timeout_ms", found.timeout_ms, 1U, 86'400'000U);
    inner.number("retries", found.retries, 1U, 1000U);
    inner.finish(Unknown::kRefuse);
    const bool exec = found.probe == HealthCheck::Probe::kExec;
    if (exec && found.command.empty()) inner.error("command", "is missing: an exec probe needs one");
    if (!exec && found.endpoint.empty()) inner.error("endpoint", "is missing");
    check = std::move(found);
  });
}

void read_artifact(ObjectReader& fields, const char* name, std::optional<Artifact>& into) {
  fields.object(name, [&](ObjectReader& inner) {
    Artifact artifact;
    inner.text("url", artifact.url, 4096);
    inner.text("checksum", artifact.checksum, 128);
    inner.text("format", artifact.format, 32);
    inner.required("url");
    inner.required("checksum");
    inner.finish(Unknown::kRefuse);
    into = std::move(artifact);
  });
}

void read_cloud_init(ObjectReader& fields, std::optional<CloudInit>& into) {
  fields.object("cloud_init", [&](ObjectReader& inner) {
    CloudInit found;
    inner.text("user_data", found.user_data, kMaxCloudInitText);
    inner.text("network_config", found.network_config, kMaxCloudInitText);
    inner.text("vendor_data", found.vendor_data, kMaxCloudInitText);
    inner.finish(Unknown::kRefuse);
    into = std::move(found);
  });
}

void read_devices(ObjectReader& fields, DevicePassthrough& devices) {
  fields.object("devices", [&](ObjectReader& inner) {
    inner.texts("pci_passthrough", devices.addresses, 32);
    inner.texts("allowlist", devices.allowed, 256);
    inner.finish(Unknown::kRefuse);
  });
}

void read_actions(ObjectReader& fields, std::map<std::string, WorkloadAction>& actions) {
  fields.value("actions", [&](const Json& value, const std::string& path) {
    if (!value.is_object() || value.size() > 256)
      return fields.errors().add(path, "must be an object of at most 256 actions");
    for (const auto& [name, body] : value.items()) {
      WorkloadAction action;
      ObjectReader inner(body, cat(path, ".", name), fields.errors());
      inner.text("description", action.description, 4096);
      inner.text("method", action.method, 16);
      inner.text("path", action.path, 2048);
      inner.number("timeout_ms", action.timeout_ms, 1U, 3'600'000U);
      inner.required("path");
      inner.finish(Unknown::kRefuse);
      actions[name] = std::move(action);
    }
  });
}

void read_plugin(ObjectReader& fields, std::string& name, std::string& version) {
  std::string text;
  fields.text("plugin", text, 256);
  auto plugin = parse_plugin_ref(text);
  fields.text("plugin_version", version, 128);
  if (!plugin.version.empty() && !version.empty() && plugin.version != version) {
    fields.error("plugin_version", cat("\"", version, "\" is not the version that plugin names"));
  }
  if (!version.empty() && !fields.has("plugin")) fields.error("plugin_version", "is missing its plugin");
  if (fields.has("plugin")) name = std::move(plugin.name);
  if (version.empty()) version = std::move(plugin.version);
}

void read_spec(ObjectReader& fields, EnvironmentSpec& spec) {
  fields.text("name", spec.name, 256);
  fields.text("hostname", spec.hostname, 256);
  read_word<Isolation>(fields, "isolation", spec.isolation, parse_isolation);
  read_word<Kind>(fields, "kind", spec.kind, parse_kind);
  fields.text("zone", spec.zone, 256);
  fields.text("image", spec.image, 1024);
  fields.text("rootfs_path", spec.rootfs_path, 4095);
  read_plugin(fields, spec.plugin, spec.plugin_version);
  fields.text("deployment", spec.deployment, 256);
  fields.texts("entrypoint", spec.entrypoint);
  fields.texts("command", spec.command);
  fields.pairs("env", spec.env);
  fields.text("workdir", spec.workdir, 4095);
  fields.text("user", spec.user, 256);
  fields.flag("terminal", spec.terminal);
  fields.flag("stdin_open", spec.stdin_open);
  fields.flag("auto_remove", spec.auto_remove);
  fields.object("resources", [&](ObjectReader& inner) {
    read_resources(inner, spec.resources);
    inner.finish(Unknown::kRefuse);
  });
  read_security(fields, spec.security);
  read_mounts(fields, "mounts", spec.mounts);
  read_tmpfs(fields, spec.tmpfs);
  read_ports(fields, spec.ports);
  fields.texts("dns", spec.dns, 16);
  read_restart(fields, spec.restart);
  read_health_check(fields, spec.health_check);
  read_artifact(fields, "rootfs", spec.root_disk);
  read_artifact(fields, "initramfs", spec.initramfs);
  read_cloud_init(fields, spec.cloud_init);
  read_devices(fields, spec.devices);
  fields.text("base_url", spec.base_url, 2048);
  read_actions(fields, spec.actions);
  fields.pairs("labels", spec.labels);
}

}  // namespace skerry::wire
