#include "drivers/container/container_spec.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>

#include "base/text.h"
#include "drivers/workload.h"
#include "wire/oci_spec_defaults.h"

namespace skerry {
namespace {

constexpr std::string_view kDefaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
// What older runtimes accept, too; nothing newer is written.
constexpr std::string_view kWrittenVersion = "1.0.2";
constexpr std::uint64_t kCpuPeriodUs = 100'000;
constexpr std::uint64_t kSharesPerCore = 1024;
constexpr std::uint32_t kVolumeTmpfsMib = 64;

bool has_variable(const std::vector<std::string>& env, std::string_view name) {
  return std::ranges::any_of(env, [&](std::string_view entry) {
    return entry.starts_with(name) && entry.substr(name.size()).starts_with('=');
  });
}

void add_default(std::vector<std::string>& env, std::string_view name, std::string_view value) {
  if (!has_variable(env, name)) env.push_back(cat(name, "=", value));
}

// ── capabilities ──

// "net_admin" and "CAP_NET_ADMIN" are one.
Result<std::string> capability_name(const std::string& given) {
  std::string name = given;
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  const bool sane = !name.empty() && name.size() < 40 &&
                    std::ranges::all_of(name, [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; });
  if (!sane) return fail(ErrorCode::kInvalidArgument, cat("\"", given.substr(0, 40), "\" is not a capability"));
  return name == "ALL" || name.starts_with("CAP_") ? name : cat("CAP_", name);
}

struct CapabilityChoice {
  std::vector<std::string> names;  // what the container may hold, sorted
  std::vector<std::string> added;  // the part of it that was asked for by name
};

Result<CapabilityChoice> choose_capabilities(const Security& security) {
  std::set<std::string> names(oci::default_capabilities().begin(), oci::default_capabilities().end());
  for (const auto& dropped : security.cap_drop) {
    const std::string name = TRY_IN("security.cap_drop", capability_name(dropped));
    if (name == "ALL") names.clear();
    names.erase(name);
  }
  CapabilityChoice choice;
  for (const auto& added : security.cap_add) {
    std::string name = TRY_IN("security.cap_add", capability_name(added));
    if (name == "ALL") {
      return fail(ErrorCode::kInvalidArgument, "security.cap_add: \"ALL\" would undo the isolation",
                  "name the capabilities it needs");
    }
    names.insert(name);
    choice.added.push_back(std::move(name));
  }
  choice.names.assign(names.begin(), names.end());
  std::ranges::sort(choice.added);
  return choice;
}

// root holds what its container may hold. Anybody else only what was asked for by name, as ambient capabilities, since
// an exec would clear all others (capabilities(7), "Transformation of capabilities during execve()").
oci::Capabilities capabilities_of(const CapabilityChoice& choice, std::uint32_t uid) {
  oci::Capabilities sets = oci::capability_sets(choice.names);
  if (uid == 0) return sets;
  sets.effective = sets.permitted = sets.inheritable = sets.ambient = choice.added;
  return sets;
}

// ── the process ──

void set_user(oci::Process& process, const Account& account) {
  process.user.uid = account.uid;
  process.user.gid = account.gid;
  process.user.additional_gids = account.groups;
}

std::vector<std::string> environment_of(const Launch& launch, const Workload& workload, const Account& account,
                                        std::string_view hostname) {
  std::vector<std::string> env = workload.env;
  if (!has_variable(env, "PATH")) env.insert(env.begin(), std::string(kDefaultPath));
  add_default(env, "HOSTNAME", hostname);
  add_default(env, "HOME", account.home);
  if (launch.spec.terminal) add_default(env, "TERM", "xterm");
  return env;
}

// ── mounts ──

oci::Mount bind(std::string source, std::string target, bool read_only) {
  // rro: also what is mounted below the source.
  return {std::move(target), "bind", std::move(source), {"rbind", "rprivate", read_only ? "rro" : "rw"}, {}, {}};
}

oci::Mount tmpfs(const std::string& target, std::uint32_t size_mib, std::vector<std::string> more = {}) {
  std::vector<std::string> options{"nosuid", "nodev", "mode=1777", cat("size=", size_mib, "m")};
  options.insert(options.end(), more.begin(), more.end());
  return {target, "tmpfs", "tmpfs", std::move(options), {}, {}};
}

// A later mount on the same place replaces the earlier one: the user's word over ours.
void put_mount(std::vector<oci::Mount>& mounts, oci::Mount mount) {
  std::erase_if(mounts, [&](const oci::Mount& other) { return other.destination == mount.destination; });
  mounts.push_back(std::move(mount));
}

// What an image must not put its own file system over: ours show what masks and read-only mounts leave, and devices.
bool belongs_to_runtime(const std::string& path) {
  const std::string_view relative = std::string_view(path).substr(std::min(path.find_first_not_of('/'), path.size()));
  const std::string clean = std::filesystem::path(cat("/", relative)).lexically_normal();
  return clean == "/" || std::ranges::any_of(std::array{"/proc", "/sys", "/dev"}, [&](std::string_view place) {
           return clean.starts_with(place) && (clean.size() == place.size() || clean[place.size()] == '/');
         });
}

bool is_read_only(const EnvironmentSpec& spec) { return spec.security.read_only_root || spec.kind == Kind::kTemplate; }

std::vector<oci::Mount> mounts_of(const Launch& launch, const ContainerInputs& inputs) {
  auto mounts = oci::default_mounts();
  for (auto& mount : mounts) {
    // A sysfs of its own takes the owner of the network namespace, which is not in this user namespace.
    if (inputs.ids && mount.type == "sysfs") {
      mount = {"/sys", "none", "/sys", {"rbind", "rprivate", "nosuid", "noexec", "nodev", "rro"}, {}, {}};
    }
  }
  const bool read_only = is_read_only(launch.spec);
  for (const auto* name : {"hosts", "hostname", "resolv.conf"}) {
    put_mount(mounts, bind(cat(inputs.etc_dir, "/", name), cat("/etc/", name), read_only));
  }
  // What the image declares to be written stays writable, and is forgotten with the run.
  if (read_only && launch.image) {
    for (const auto& path : launch.image->config.volumes) {
      if (belongs_to_runtime(path)) continue;
      put_mount(mounts, tmpfs(path, kVolumeTmpfsMib, {"tmpcopyup"}));
    }
  }
  for (const auto& mount : launch.spec.tmpfs) put_mount(mounts, tmpfs(mount.target, mount.size_mib));
  for (const auto& mount : launch.spec.mounts) put_mount(mounts, bind(mount.source, mount.target, mount.read_only));
  return mounts;
}

// ── limits ──

}  // namespace

oci::Resources limits_of(const Resources& resources, bool limit_swap) {
  oci::Resources out;
  out.devices = oci::default_device_rules();
  auto& memory = out.memory.emplace();
  memory.limit = static_cast<std::int64_t>(resources.memory_mib) << 20U;
  if (limit_swap) memory.swap = memory.limit;
  auto& cpu = out.cpu.emplace();
  cpu.period_us = kCpuPeriodUs;
  cpu.quota_us = static_cast<std::int64_t>(resources.cpu_milli * kCpuPeriodUs / kMilliPerCore);
  cpu.shares = std::max<std::uint64_t>(2, resources.cpu_milli * kSharesPerCore / kMilliPerCore);
  out.pids_limit = resources.pids;
  return out;
}

namespace {

void set_namespaces(oci::Linux& linux_part, const ContainerInputs& inputs) {
  linux_part.namespaces = oci::default_namespaces();
  for (auto& entry : linux_part.namespaces) {
    if (entry.type == "network") entry.path = inputs.network_namespace;
  }
  if (!inputs.ids) return;
  linux_part.namespaces.push_back({"user", {}});
  linux_part.uid_mappings = {{0, inputs.ids->first, inputs.ids->count}};
  linux_part.gid_mappings = linux_part.uid_mappings;
}

std::optional<oci::Seccomp> seccomp_of(const Security& security, const ContainerInputs& inputs,
                                       const CapabilityChoice& capabilities) {
  if (security.seccomp_profile == "unconfined") return std::nullopt;
  if (inputs.seccomp_profile) return inputs.seccomp_profile;
  return oci::default_seccomp(capabilities.names);
}

}  // namespace

Result<std::vector<std::string>> container_capabilities(const Security& security) {
  return TRY(choose_capabilities(security)).names;
}

Result<oci::Spec> make_container_spec(const Launch& launch, const ContainerInputs& inputs) {
  const auto& spec = launch.spec;
  const auto workload = TRY(resolve_workload(spec, launch.image ? &launch.image->config : nullptr));
  const auto capabilities = TRY(choose_capabilities(spec.security));

  oci::Spec out;
  out.oci_version = kWrittenVersion;
  out.root = {inputs.rootfs, is_read_only(spec)};
  out.hostname = spec.hostname.empty() ? spec.name : spec.hostname;
  out.mounts = mounts_of(launch, inputs);
  out.annotations = {{"dev.skerry.id", launch.place.id},
                     {"dev.skerry.name", spec.name},
                     {kStopSignalAnnotation, cat(workload.stop_signal)}};

  auto& process = out.process.emplace();
  process.terminal = spec.terminal;
  process.args = workload.argv;
  process.env = environment_of(launch, workload, inputs.account, out.hostname);
  process.cwd = workload.workdir;
  process.capabilities = capabilities_of(capabilities, inputs.account.uid);
  process.no_new_privileges = !spec.security.allow_new_privileges;
  set_user(process, inputs.account);

  auto& linux_part = out.linux_part;
  set_namespaces(linux_part, inputs);
  linux_part.resources = limits_of(spec.resources, inputs.limit_swap);
  linux_part.masked_paths = oci::default_masked_paths();
  linux_part.readonly_paths = oci::default_readonly_paths();
  linux_part.seccomp = seccomp_of(spec.security, inputs, capabilities);
  return out;
}

oci::Process make_exec_process(const oci::Spec& config, const ExecSpec& spec, const std::optional<Account>& account) {
  oci::Process process = config.process.value_or(oci::Process{});
  process.terminal = spec.terminal;
  process.console_size.reset();
  // The keeper sets it too, but when it gets the terminal: the command may have asked before.
  if (spec.terminal) process.console_size = oci::ConsoleSize{.height = spec.size.rows, .width = spec.size.columns};
  process.args = spec.argv;
  if (!spec.workdir.empty()) process.cwd = spec.workdir;
  if (account) {
    const bool was_root = process.user.uid == 0;
    set_user(process, *account);
    std::erase_if(process.env, [](std::string_view entry) { return entry.starts_with("HOME="); });
    add_default(process.env, "HOME", account->home);
    if (process.capabilities && was_root != (account->uid == 0)) {
      auto& sets = *process.capabilities;
      sets.effective = sets.permitted = account->uid == 0 ? sets.bounding : std::vector<std::string>{};
      sets.inheritable = sets.ambient = {};
    }
  }
  for (const auto& [name, value] : spec.env) {
    std::erase_if(process.env, [&](std::string_view entry) {
      return entry.starts_with(name) && entry.substr(name.size()).starts_with('=');
    });
    process.env.push_back(cat(name, "=", value));
  }
  if (spec.terminal) add_default(process.env, "TERM", "xterm");
  return process;
}

}  // namespace skerry
