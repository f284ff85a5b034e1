#include "core/environment.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/capability_names.h"
#include "base/text.h"
#include "core/digest.h"
#include "core/net.h"

namespace skerry {
namespace {

template <typename T>
using Word = std::pair<T, std::string_view>;

constexpr std::array kIsolations{Word<Isolation>{Isolation::kContainer, "container"},
                                 Word<Isolation>{Isolation::kMicrovm, "microvm"},
                                 Word<Isolation>{Isolation::kVm, "vm"}};
constexpr std::array kKinds{Word<Kind>{Kind::kApp, "app"}, Word<Kind>{Kind::kDisposable, "disposable"},
                            Word<Kind>{Kind::kTemplate, "template"}};
constexpr std::array kStates{Word<State>{State::kCreated, "created"},     Word<State>{State::kStarting, "starting"},
                             Word<State>{State::kRunning, "running"},     Word<State>{State::kPaused, "paused"},
                             Word<State>{State::kSuspended, "suspended"}, Word<State>{State::kStopping, "stopping"},
                             Word<State>{State::kStopped, "stopped"},     Word<State>{State::kFailed, "failed"},
                             Word<State>{State::kDeleting, "deleting"}};
constexpr std::array kGoals{Word<Goal>{Goal::kStopped, "stopped"}, Word<Goal>{Goal::kRunning, "running"},
                            Word<Goal>{Goal::kPaused, "paused"}, Word<Goal>{Goal::kSuspended, "suspended"},
                            Word<Goal>{Goal::kDeleted, "deleted"}};
constexpr std::array kRestartModes{Word<RestartMode>{RestartMode::kNo, "no"},
                                   Word<RestartMode>{RestartMode::kOnFailure, "on-failure"},
                                   Word<RestartMode>{RestartMode::kAlways, "always"},
                                   Word<RestartMode>{RestartMode::kUnlessStopped, "unless-stopped"}};
constexpr std::array kHealths{Word<Health>{Health::kUnknown, "unknown"}, Word<Health>{Health::kHealthy, "healthy"},
                              Word<Health>{Health::kUnhealthy, "unhealthy"}};

template <typename T>
std::string_view word_of(std::span<const Word<T>> words, T value) {
  for (const auto& [candidate, word] : words) {
    if (candidate == value) return word;
  }
  return "invalid";
}

template <typename T>
Result<T> value_of(std::span<const Word<T>> words, std::string_view text, std::string_view what) {
  std::string known;
  for (const auto& [value, word] : words) {
    if (word == text) return value;
    if (!known.empty()) known += ", ";
    known += word;
  }
  return fail(ErrorCode::kInvalidArgument, cat(what, ": \"", text.substr(0, 64), "\""), cat("use one of: ", known));
}

}  // namespace

std::string_view to_text(Isolation value) { return word_of<Isolation>(kIsolations, value); }
std::string_view to_text(Kind value) { return word_of<Kind>(kKinds, value); }
std::string_view to_text(State value) { return word_of<State>(kStates, value); }
std::string_view to_text(Goal value) { return word_of<Goal>(kGoals, value); }
std::string_view to_text(RestartMode value) { return word_of<RestartMode>(kRestartModes, value); }
std::string_view to_text(Health value) { return word_of<Health>(kHealths, value); }

Result<Isolation> parse_isolation(std::string_view text) { return value_of<Isolation>(kIsolations, text, "isolation"); }
Result<Kind> parse_kind(std::string_view text) { return value_of<Kind>(kKinds, text, "kind"); }
Result<State> parse_state(std::string_view text) { return value_of<State>(kStates, text, "state"); }
Result<Goal> parse_goal(std::string_view text) { return value_of<Goal>(kGoals, text, "goal"); }
Result<RestartMode> parse_restart_mode(std::string_view text) {
  return value_of<RestartMode>(kRestartModes, text, "restart policy");
}
Result<Health> parse_health(std::string_view text) { return value_of<Health>(kHealths, text, "health"); }

std::string_view event_noun(Isolation isolation) { return isolation == Isolation::kContainer ? "container" : "vm"; }

namespace {

constexpr std::uint32_t kMinMemoryMib = 4;
constexpr std::uint32_t kMinMicrovmMemoryMib = 96;  // Debian's kernel, its modules and our agent need about 80
constexpr std::uint32_t kMaxMemoryMib = 16U * 1024U * 1024U;
constexpr std::uint32_t kMaxCpuMilli = 1024U * kMilliPerCore;
constexpr std::uint32_t kMaxPids = 4U * 1024U * 1024U;

bool has_control(std::string_view text) {
  return std::ranges::any_of(text,
                             [](char letter) { return static_cast<unsigned char>(letter) < ' ' || letter == 0x7f; });
}

auto wrong(std::string_view field, std::string_view why) {
  return fail(ErrorCode::kInvalidArgument, cat(field, ": ", why));
}

bool is_clean_absolute_path(std::string_view path) {
  if (path.empty() || path.front() != '/' || path.find('\0') != std::string_view::npos || path.size() > 4095)
    return false;
  for (const auto part : split(path, '/')) {
    if (part == "..") return false;
  }
  return true;
}

Status validate_names(const EnvironmentSpec& spec) {
  if (!is_dns_label(spec.name)) {
    return wrong("name", cat("\"", std::string_view(spec.name).substr(0, 80),
                             "\" must be 1 to 63 of a-z, 0-9 and '-', not starting or ending with '-'"));
  }
  if (!spec.hostname.empty() && spec.hostname.size() > 64) return wrong("hostname", "longer than 64 characters");
  for (const auto part : split(spec.hostname, '.')) {
    if (!spec.hostname.empty() && !is_dns_label(part)) return wrong("hostname", "not a host name (RFC 1123)");
  }
  if (!is_dns_label(spec.zone)) return wrong("zone", "not a zone name");
  // They are shown in tables and logs, and rules tell environments apart by them.
  for (const auto& [label, value] : spec.labels) {
    if (has_control(label) || has_control(value)) return wrong("labels", "no control characters");
  }
  const bool has_disks = spec.root_disk || spec.initramfs;
  const int sources = (spec.image.empty() ? 0 : 1) + (spec.rootfs_path.empty() ? 0 : 1) + (has_disks ? 1 : 0);
  if (sources > 1) return wrong("image", "give one of an image, a rootfs_path, and a rootfs or initramfs");
  if (sources == 0 && spec.plugin.empty()) return wrong("image", "missing: name an image, a plugin or a rootfs_path");
  if (!spec.rootfs_path.empty() && !is_clean_absolute_path(spec.rootfs_path)) {
    return wrong("rootfs_path", "must be an absolute path without \"..\"");
  }
  return {};
}

Status validate_resources(const EnvironmentSpec& spec) {
  const auto& r = spec.resources;
  const std::uint32_t least = spec.isolation == Isolation::kContainer ? kMinMemoryMib : kMinMicrovmMemoryMib;
  if (r.memory_mib < least || r.memory_mib > kMaxMemoryMib) {
    return wrong("resources.memory_mb",
                 cat(r.memory_mib, " is outside ", least, "..", kMaxMemoryMib, " for a ", to_text(spec.isolation)));
  }
  if (r.cpu_milli < 10 || r.cpu_milli > kMaxCpuMilli) return wrong("resources.cpu_cores", "must be 0.01 to 1024");
  if (r.pids < 1 || r.pids > kMaxPids) return wrong("resources.pids", cat("must be 1 to ", kMaxPids));
  return {};
}

Status validate_workload(const EnvironmentSpec& spec) {
  for (const auto& [key, value] : spec.env) {
    if (key.empty() || key.find('=') != std::string::npos || key.find('\0') != std::string::npos) {
      return wrong("env", cat("\"", key, "\" is not a variable name"));
    }
    if (value.find('\0') != std::string::npos) return wrong(cat("env.", key), "holds a NUL byte");
  }
  for (const auto* words : {&spec.entrypoint, &spec.command}) {
    for (const auto& word : *words) {
      if (word.find('\0') != std::string::npos) return wrong("command", "holds a NUL byte");
    }
  }
  if (!spec.workdir.empty() && !is_clean_absolute_path(spec.workdir))
    return wrong("workdir", "must be an absolute path");
  return {};
}

Status validate_mounts(const EnvironmentSpec& spec) {
  for (std::size_t i = 0; i < spec.mounts.size(); ++i) {
    const auto& mount = spec.mounts[i];
    if (!is_clean_absolute_path(mount.source)) return wrong(cat("mounts[", i, "].source"), "must be an absolute path");
    if (!is_clean_absolute_path(mount.target) || mount.target == "/") {
      return wrong(cat("mounts[", i, "].target"), "must be an absolute path below /");
    }
  }
  for (std::size_t i = 0; i < spec.tmpfs.size(); ++i) {
    if (!is_clean_absolute_path(spec.tmpfs[i].target) || spec.tmpfs[i].target == "/") {
      return wrong(cat("tmpfs[", i, "].target"), "must be an absolute path below /");
    }
    if (spec.tmpfs[i].size_mib == 0) return wrong(cat("tmpfs[", i, "].size_mb"), "must be at least 1");
  }
  return {};
}

Status validate_disks(const EnvironmentSpec& spec) {
  if ((spec.root_disk || spec.initramfs) && spec.isolation != Isolation::kMicrovm) {
    return wrong(spec.root_disk ? "rootfs" : "initramfs", cat("a ", to_text(spec.isolation), " cannot boot from it"));
  }
  if (spec.root_disk) TRY(validate_artifact(*spec.root_disk, "rootfs"));
  if (spec.initramfs) TRY(validate_artifact(*spec.initramfs, "initramfs"));
  if (spec.cloud_init && spec.isolation != Isolation::kMicrovm) {
    return wrong("cloud_init", cat("a ", to_text(spec.isolation), " takes no disk with it; use --isolation microvm"));
  }
  if (!spec.devices.addresses.empty() && spec.isolation != Isolation::kMicrovm) {
    return wrong("devices.pci_passthrough", cat("a ", to_text(spec.isolation), " has no bus for them"));
  }
  TRY(validate_devices(spec.devices));
  return spec.cloud_init ? validate_cloud_init(*spec.cloud_init) : Status{};
}

bool is_user_data(std::string_view text) {
  return text.empty() || text.starts_with('#') || text.starts_with("Content-Type:") ||
         text.starts_with("MIME-Version:");
}

Status validate_ports(const EnvironmentSpec& spec) {
  for (std::size_t i = 0; i < spec.ports.size(); ++i) {
    if (spec.ports[i].host_port == 0) return wrong(cat("ports[", i, "].host_port"), "must be 1 to 65535");
    if (spec.ports[i].guest_port == 0) return wrong(cat("ports[", i, "].guest_port"), "must be 1 to 65535");
    for (std::size_t j = 0; j < i; ++j) {
      if (!clash(spec.ports[i], spec.ports[j])) continue;
      return wrong(cat("ports[", i, "]"), cat("host port ", spec.ports[i].host_port, " is published twice"));
    }
  }
  return {};
}

}  // namespace

Status validate_cloud_init(const CloudInit& cloud_init) {
  for (const auto& [field, text] :
       {std::pair("user_data", &cloud_init.user_data), std::pair("network_config", &cloud_init.network_config),
        std::pair("vendor_data", &cloud_init.vendor_data)}) {
    if (text->size() > kMaxCloudInitText) {
      return wrong(cat("cloud_init.", field), cat("is longer than ", kMaxCloudInitText, " bytes"));
    }
  }
  for (const auto& [field, text] :
       {std::pair("user_data", &cloud_init.user_data), std::pair("vendor_data", &cloud_init.vendor_data)}) {
    if (is_user_data(*text)) continue;
    return wrong(cat("cloud_init.", field), "cloud-init would ignore it: the first line must be #cloud-config or #!…");
  }
  return {};
}

Status validate_devices(const DevicePassthrough& devices) {
  if (devices.addresses.empty() && !devices.allowed.empty()) {
    return wrong("devices.allowlist", "names kinds of devices, and pci_passthrough asks for none");
  }
  if (!devices.addresses.empty() && devices.allowed.empty()) {
    return wrong("devices.allowlist", "missing: the kinds (vendor:device) that pci_passthrough may be");
  }
  return {};
}

Status validate_artifact(const Artifact& artifact, std::string_view field) {
  const std::string_view url = artifact.url;
  if (url.starts_with("file://")) {
    if (!is_clean_absolute_path(url.substr(7))) {
      return wrong(cat(field, ".url"), "must name an absolute path without \"..\"");
    }
  } else if (!url.starts_with("https://") || url.find_first_of(" \t\r\n") != std::string_view::npos) {
    return wrong(cat(field, ".url"), "must begin with file:/// or https://");
  }
  if (!Digest::parse(artifact.checksum))
    return wrong(cat(field, ".checksum"), "must be sha256: and 64 hexadecimal digits");
  return {};
}

Status validate_health_check(const HealthCheck& check) {
  if (check.probe != HealthCheck::Probe::kHttp || !check.endpoint.starts_with("https://")) return {};
  return wrong("health_check.endpoint", "https is not probed: use http://, or the probe \"tcp\"");
}

Status validate_base_url(std::string_view url, std::string_view field) {
  if (url.empty()) return {};
  if (!url.starts_with("http://")) return wrong(std::string(field), "must begin with http://");
  if (url.find_first_of(" \t\r\n") != std::string_view::npos) return wrong(std::string(field), "holds white space");
  return {};
}

Status validate_actions(const std::map<std::string, WorkloadAction>& actions) {
  for (const auto& [name, action] : actions) {
    const std::string field = cat("actions.", name);
    if (!is_dns_label(name)) return wrong(field, "an action's name has only a-z, 0-9 and '-'");
    const bool clean = action.path.find_first_of(" \t\r\n") == std::string::npos;
    if (!action.path.starts_with('/') || !clean) {
      return wrong(cat(field, ".path"), "must begin with '/' and hold no white space");
    }
    if (action.method != "GET" && action.method != "POST" && action.method != "PUT" && action.method != "DELETE") {
      return wrong(cat(field, ".method"), "must be GET, POST, PUT or DELETE");
    }
  }
  return {};
}

// As the drivers take them: any case, with or without CAP_.
Status validate_capabilities(const std::vector<std::string>& names, std::string_view field) {
  for (const auto& given : names) {
    std::string name = given.substr(0, 64);
    std::ranges::transform(name, name.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    if (name == "ALL" || capability_number(name) >= 0 || capability_number(cat("CAP_", name)) >= 0) continue;
    return wrong(std::string(field),
                 cat("\"", std::string_view(given).substr(0, 64), "\" is not a capability (see capabilities(7))"));
  }
  return {};
}

Status validate(const EnvironmentSpec& spec) {
  TRY(validate_names(spec));
  TRY(validate_resources(spec));
  TRY(validate_workload(spec));
  TRY(validate_mounts(spec));
  TRY(validate_disks(spec));
  TRY(validate_base_url(spec.base_url, "base_url"));
  if (spec.health_check) TRY(validate_health_check(*spec.health_check));
  TRY(validate_actions(spec.actions));
  TRY(validate_ports(spec));
  TRY(validate_capabilities(spec.security.cap_add, "security.cap_add"));
  TRY(validate_capabilities(spec.security.cap_drop, "security.cap_drop"));
  if (spec.kind == Kind::kTemplate && spec.auto_remove) return wrong("kind", "a template cannot be removed on exit");
  if (spec.restart.mode != RestartMode::kNo && spec.auto_remove) {
    return wrong("restart", "an environment that is removed on exit (--rm) cannot also be restarted");
  }
  return {};
}

}  // namespace skerry
