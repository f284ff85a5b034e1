#include "wire/oci_spec_defaults.h"

namespace skerry::oci {

const std::vector<std::string>& default_capabilities() {
  static const std::vector<std::string> names = {"CAP_CHOWN",   "CAP_DAC_OVERRIDE",     "CAP_FOWNER",    "CAP_FSETID",
                                                 "CAP_KILL",    "CAP_NET_BIND_SERVICE", "CAP_SETFCAP",   "CAP_SETGID",
                                                 "CAP_SETPCAP", "CAP_SETUID",           "CAP_SYS_CHROOT"};
  return names;
}

Capabilities capability_sets(std::vector<std::string> names) {
  Capabilities out;
  out.bounding = names;
  out.effective = names;
  out.permitted = std::move(names);
  return out;
}

std::vector<Mount> default_mounts() {
  return {
      {"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}, {}, {}},
      {"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}, {}, {}},
      {"/dev/pts",
       "devpts",
       "devpts",
       {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"},
       {},
       {}},
      {"/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}, {}, {}},
      {"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}, {}, {}},
      {"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}, {}, {}},
      {"/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}, {}, {}},
  };
}

const std::vector<std::string>& default_masked_paths() {
  static const std::vector<std::string> paths = {"/proc/acpi",
                                                 "/proc/asound",
                                                 "/proc/interrupts",
                                                 "/proc/kcore",
                                                 "/proc/keys",
                                                 "/proc/latency_stats",
                                                 "/proc/sched_debug",
                                                 "/proc/scsi",
                                                 "/proc/timer_list",
                                                 "/proc/timer_stats",
                                                 "/sys/devices/virtual/powercap",
                                                 "/sys/firmware",
                                                 "/sys/fs/selinux",
                                                 "/sys/dev/block"};
  return paths;
}

const std::vector<std::string>& default_readonly_paths() {
  static const std::vector<std::string> paths = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                                 "/proc/sysrq-trigger"};
  return paths;
}

std::vector<Namespace> default_namespaces() {
  return {{"pid", {}}, {"network", {}}, {"ipc", {}}, {"uts", {}}, {"mount", {}}, {"cgroup", {}}};
}

std::vector<DeviceRule> default_device_rules() { return {DeviceRule{false, {}, {}, {}, "rwm"}}; }

Spec default_spec() {
  Spec spec;
  spec.oci_version = kSpecVersion;
  spec.root = {"rootfs", true};
  spec.hostname = "skerry";
  spec.mounts = default_mounts();
  Process& process = spec.process.emplace();
  process.terminal = true;
  process.args = {"sh"};
  process.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"};
  process.capabilities = capability_sets(default_capabilities());
  process.rlimits = {{"RLIMIT_NOFILE", 1024, 1024}};
  process.no_new_privileges = true;
  spec.linux_part.namespaces = default_namespaces();
  spec.linux_part.resources.devices = default_device_rules();
  spec.linux_part.masked_paths = default_masked_paths();
  spec.linux_part.readonly_paths = default_readonly_paths();
  spec.linux_part.seccomp = default_seccomp(default_capabilities());
  return spec;
}

Spec default_rootless_spec(std::uint32_t host_uid, std::uint32_t host_gid) {
  Spec spec = default_spec();
  auto& linux_part = spec.linux_part;
  std::erase_if(linux_part.namespaces, [](const Namespace& entry) { return entry.type == "network"; });
  linux_part.namespaces.push_back({"user", {}});
  linux_part.uid_mappings = {{0, host_uid, 1}};
  linux_part.gid_mappings = {{0, host_gid, 1}};
  linux_part.resources = {};
  for (auto& mount : spec.mounts) {
    // Only id 0 is mapped: group 5 (tty) does not exist in there.
    if (mount.type == "devpts") std::erase(mount.options, "gid=5");
    // A new sysfs needs a network namespace of the same owner; the host's, read-only, does not.
    if (mount.type == "sysfs") mount = {"/sys", "none", "/sys", {"rbind", "nosuid", "noexec", "nodev", "ro"}, {}, {}};
  }
  std::erase_if(spec.mounts, [](const Mount& mount) { return mount.type == "cgroup"; });
  return spec;
}

}  // namespace skerry::oci
