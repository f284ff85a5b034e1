#include "oci_microvm/guest_of_spec.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "drivers/qemu/share_jail.h"
#include "oci/rlimits.h"

namespace skerry::oci_microvm {
namespace {

constexpr std::int64_t kMib = 1 << 20;
// A kernel, the agent and a small program.
constexpr std::int64_t kLeastMemoryMib = 64;
constexpr std::uint32_t kMostMemoryMib = 1U << 20U;

std::unexpected<Error> unsupported(std::string_view path, std::string_view why) {
  return fail(ErrorCode::kUnsupported, cat(path, ": ", why));
}

const oci::Namespace* find_namespace(const oci::Spec& spec, std::string_view type) {
  const auto& all = spec.linux_part.namespaces;
  const auto found = std::ranges::find(all, type, &oci::Namespace::type);
  return found == all.end() ? nullptr : &*found;
}

Status check_namespaces(const oci::Spec& spec) {
  for (const char* type : {"pid", "network", "ipc", "uts", "mount"}) {
    const auto* entry = find_namespace(spec, type);
    if (entry == nullptr) {
      return unsupported("/linux/namespaces", cat("a microVM cannot use the host's ", type, " namespace"));
    }
    if (!entry->path.empty() && entry->type != "network") {
      return unsupported("/linux/namespaces", cat("a microVM cannot join another's ", type, " namespace"));
    }
  }
  if (find_namespace(spec, "user") != nullptr) {
    return unsupported("/linux/namespaces", "a microVM has users of its own already: no user namespace");
  }
  return {};
}

Status check_resources(const oci::Resources& resources) {
  if (resources.block_io) return unsupported("/linux/resources/blockIO", "not with a microVM");
  if (!resources.hugepage_limits.empty()) return unsupported("/linux/resources/hugepageLimits", "not with a microVM");
  if (!resources.rdma.empty()) return unsupported("/linux/resources/rdma", "not with a microVM");
  if (resources.network) return unsupported("/linux/resources/network", "not with a microVM");
  if (!resources.unified.empty()) return unsupported("/linux/resources/unified", "not with a microVM");
  if (const auto& cpu = resources.cpu) {
    if (!cpu->cpus.empty() || !cpu->mems.empty()) return unsupported("/linux/resources/cpu/cpus", "not with a microVM");
    const bool realtime = cpu->realtime_runtime_us.value_or(0) != 0 || cpu->realtime_period_us.value_or(0) != 0;
    if (realtime) return unsupported("/linux/resources/cpu/realtimeRuntime", "not with a microVM");
  }
  return {};
}

Status check_supported(const oci::Spec& spec) {
  if (!spec.process) return fail(ErrorCode::kInvalidArgument, "/process: is required");
  const auto& part = spec.linux_part;
  TRY(check_namespaces(spec));
  TRY(check_resources(part.resources));
  if (!part.devices.empty()) {
    return unsupported("/linux/devices", "a microVM has no devices of the host (--device, --privileged)");
  }
  if (!part.net_devices.empty()) return unsupported("/linux/netDevices", "not with a microVM");
  if (part.intel_rdt) return unsupported("/linux/intelRdt", "not with a microVM");
  if (part.memory_policy) return unsupported("/linux/memoryPolicy", "not with a microVM");
  if (part.personality) return unsupported("/linux/personality", "not with a microVM");
  if (!part.time_offsets.empty()) return unsupported("/linux/timeOffsets", "not with a microVM");
  if (part.seccomp && !part.seccomp->listener_path.empty()) {
    return unsupported("/linux/seccomp/listenerPath", "a microVM's system calls are its own kernel's");
  }
  if (!spec.domainname.empty()) return unsupported("/domainname", "not with a microVM");
  if (!spec.hooks.create_container.empty() || !spec.hooks.start_container.empty()) {
    return unsupported("/hooks", "createContainer and startContainer would run in namespaces that a microVM has not");
  }
  return {};
}

// File systems of a kernel: the guest's own has them, mounted by the agent.
bool is_kernel_mount(const oci::Mount& mount) {
  constexpr std::array kTypes{"proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2", "devtmpfs"};
  if (std::ranges::find(kTypes, mount.type) != kTypes.end()) return true;
  return mount.destination == "/dev" || mount.destination == "/dev/shm";
}

bool has_option(const oci::Mount& mount, std::string_view name) {
  return std::ranges::find(mount.options, name) != mount.options.end();
}

// "size=64k", "size=10m": kibibytes and so on, as tmpfs(5) reads them; the default of the agent when not said.
Result<std::uint32_t> tmpfs_mib(const oci::Mount& mount) {
  for (const std::string_view option : mount.options) {
    if (!option.starts_with("size=")) continue;
    std::string_view number = option.substr(5);
    std::uint64_t unit = 1;
    switch (number.empty() ? '\0' : number.back()) {
      case 'k':
      case 'K': unit = 1U << 10U; break;
      case 'm':
      case 'M': unit = 1U << 20U; break;
      case 'g':
      case 'G': unit = 1U << 30U; break;
      case '%': return fail(ErrorCode::kUnsupported, cat("/mounts: ", mount.destination, ": ", option));
      default: break;
    }
    if (unit != 1) number.remove_suffix(1);
    const auto count = TRY(parse_int<std::uint32_t>(number, cat("/mounts: ", mount.destination, ": size")));
    return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(count * unit / kMib, 1, kMostMemoryMib));
  }
  return wire::GuestMount{}.size_mib;
}

Status add_mount(const oci::Mount& mount, GuestOfSpec& guest) {
  if (is_kernel_mount(mount)) return {};
  if (!mount.uid_mappings.empty() || !mount.gid_mappings.empty() || has_option(mount, "idmap")) {
    return unsupported("/mounts", cat(mount.destination, ": no ID-mapped mounts with a microVM"));
  }
  const bool read_only = has_option(mount, "ro") || has_option(mount, "rro");
  if (mount.type == "tmpfs") {
    if (has_option(mount, "tmpcopyup")) {
      return unsupported("/mounts", cat(mount.destination, ": no tmpcopyup with a microVM"));
    }
    guest.document.mounts.push_back({"tmpfs", "", mount.destination, read_only, TRY(tmpfs_mib(mount))});
    return {};
  }
  if (mount.type != "bind" && !has_option(mount, "bind") && !has_option(mount, "rbind")) {
    return unsupported("/mounts", cat(mount.destination, ": a mount of type ", mount.type));
  }
  const auto name = qemu::share_name(guest.shares.size());
  guest.shares.push_back({mount.source, mount.destination, read_only});
  guest.document.mounts.push_back({"share", name, mount.destination, read_only});
  return {};
}

Status add_resources(const oci::Resources& resources, GuestOfSpec& guest) {
  if (resources.memory && resources.memory->limit.value_or(-1) > 0) {
    const auto mib = *resources.memory->limit / kMib;
    if (mib < kLeastMemoryMib) {
      return unsupported("/linux/resources/memory/limit", cat("a microVM takes at least ", kLeastMemoryMib, " MiB"));
    }
    guest.memory_mib = static_cast<std::uint32_t>(std::min<std::int64_t>(mib, kMostMemoryMib));
  }
  if (resources.cpu && resources.cpu->quota_us.value_or(-1) > 0) {
    const auto period = static_cast<std::int64_t>(resources.cpu->period_us.value_or(100'000));
    const auto milli = *resources.cpu->quota_us * kMilliPerCore / std::max<std::int64_t>(period, 1);
    guest.cpu_milli =
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(milli, 10, std::int64_t{255} * kMilliPerCore));
  }
  if (resources.pids_limit.value_or(0) > 0) {
    guest.document.pids_max = static_cast<std::uint32_t>(std::min<std::int64_t>(*resources.pids_limit, 4'194'304));
  }
  return {};
}

}  // namespace

Result<wire::GuestProcess> guest_process(const oci::Process& process) {
  if (process.args.empty()) return fail(ErrorCode::kInvalidArgument, "/process/args: is empty");
  if (process.scheduler || process.io_priority || process.exec_cpu_affinity) {
    return unsupported("/process", "no scheduler, ioPriority or execCPUAffinity with a microVM");
  }
  wire::GuestProcess out;
  out.argv = process.args;
  out.env = process.env;
  out.cwd = process.cwd;
  out.user = cat(process.user.uid, ":", process.user.gid);
  out.umask = process.user.umask.value_or(022);
  out.additional_gids = process.user.additional_gids;
  out.terminal = process.terminal;
  if (process.console_size) out.size = {process.console_size->width, process.console_size->height};
  out.stdin_open = true;
  out.no_new_privileges = process.no_new_privileges;
  out.drop_capabilities = {"ALL"};
  if (process.capabilities) out.keep_capabilities = process.capabilities->bounding;
  for (const auto& limit : process.rlimits) {
    const int number = oci::rlimit_number(limit.type);
    if (number < 0) return fail(ErrorCode::kInvalidArgument, cat("/process/rlimits: ", limit.type));
    out.limits.push_back({number, limit.soft, limit.hard});
  }
  return out;
}

Result<GuestOfSpec> guest_of_spec(const oci::Spec& spec, const std::string& rootfs) {
  TRY(check_supported(spec));
  GuestOfSpec guest;
  auto& document = guest.document;
  document.hostname = spec.hostname.substr(0, 64);
  document.keep_etc = true;
  document.wait_for_start = true;
  document.root.mode = wire::RootMode::kShare;
  document.root.read_only = spec.root.readonly;
  // The host lets nothing be written, not even mount points be made.
  document.root.overlay = spec.root.readonly;
  guest.shares.push_back({rootfs, "/", spec.root.readonly});
  for (const auto& mount : spec.mounts) TRY(add_mount(mount, guest));
  TRY(add_resources(spec.linux_part.resources, guest));
  document.sysctl = spec.linux_part.sysctl;
  document.workload = TRY(guest_process(*spec.process));
  // A scope of systemd ("slice:prefix:name") is no path.
  if (spec.linux_part.cgroups_path.starts_with('/')) guest.control_group = spec.linux_part.cgroups_path;
  guest.network_namespace = find_namespace(spec, "network")->path;
  return guest;
}

}  // namespace skerry::oci_microvm
