// The documents of `features` (runtime-spec features.md) and of `events` (the numbers a container uses).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace skerry::oci {

struct Features {
  std::vector<std::string> mount_options;
  std::vector<std::string> namespaces;
  std::vector<std::string> capabilities;
  std::vector<std::string> seccomp_archs;
  std::vector<std::string> seccomp_flags;
  bool systemd_cgroups = false;
  bool apparmor = false;
  bool selinux = false;
  bool net_devices = false;
  std::map<std::string, std::string> annotations;  // versions of libraries
};
std::string to_json(const Features& features);

// Bytes, nanoseconds and counts; what the kernel does not tell is 0.
struct ContainerStatistics {
  std::uint64_t cpu_total_ns = 0;
  std::uint64_t cpu_user_ns = 0;
  std::uint64_t cpu_kernel_ns = 0;
  std::uint64_t throttled_periods = 0;
  std::uint64_t throttled_ns = 0;
  std::uint64_t memory_usage = 0;
  std::uint64_t memory_peak = 0;
  std::uint64_t memory_limit = 0;  // 0: none
  std::uint64_t memory_oom_kills = 0;
  std::map<std::string, std::uint64_t> memory_raw;  // memory.stat
  std::uint64_t pids_current = 0;
  std::uint64_t pids_limit = 0;  // 0: none
};
// In the shape of runc's `events --stats`: {"type":"stats","id":…,"data":{…}}.
std::string statistics_document(const std::string& id, const ContainerStatistics& statistics);
// {"type":"oom","id":…}: the kernel ended a process of it for lack of memory.
std::string oom_document(const std::string& id);

}  // namespace skerry::oci
