#include "oci/cgroup_stats.h"

#include <unistd.h>

#include <algorithm>

#include "base/file_io.h"
#include "base/text.h"
#include "oci/cgroup.h"

namespace skerry::oci {
namespace {

constexpr std::uint64_t kUnlimitedV1 = 0x7FFFFFFFFFFFF000ULL;  // LONG_MAX rounded down to a page

// A file with one number; 0 when it is not there or says "max".
std::uint64_t number_in(const std::string& file) {
  const auto text = read_file(file);
  if (!text) return 0;
  return parse_int<std::uint64_t>(trim(*text), "number").value_or(0);
}

// "key value" lines.
std::map<std::string, std::uint64_t> table_in(const std::string& file) {
  std::map<std::string, std::uint64_t> out;
  const auto text = read_file(file);
  if (!text) return out;
  for (const auto line : split(*text, '\n')) {
    const auto space = line.find(' ');
    if (space == std::string_view::npos) continue;
    out[std::string(line.substr(0, space))] = parse_int<std::uint64_t>(line.substr(space + 1), "number").value_or(0);
  }
  return out;
}

// The v1 directory of a controller, "" when there is none.
std::string v1_directory(const CgroupRecord& record, std::string_view controller) {
  const auto* found = find_directory(record, controller);
  return found == nullptr || is_unified(*found) ? std::string() : found->path;
}

void read_v1_cpu(const CgroupRecord& record, ContainerStatistics& out) {
  const auto usage = v1_directory(record, "cpuacct");
  out.cpu_total_ns = number_in(usage + "/cpuacct.usage");
  out.cpu_user_ns = number_in(usage + "/cpuacct.usage_user");
  out.cpu_kernel_ns = number_in(usage + "/cpuacct.usage_sys");
  auto throttling = table_in(v1_directory(record, "cpu") + "/cpu.stat");
  out.throttled_periods = throttling["nr_throttled"];
  out.throttled_ns = throttling["throttled_time"];
}

void read_v1(const CgroupRecord& record, ContainerStatistics& out) {
  read_v1_cpu(record, out);
  const auto memory = v1_directory(record, "memory");
  out.memory_usage = number_in(memory + "/memory.usage_in_bytes");
  out.memory_peak = number_in(memory + "/memory.max_usage_in_bytes");
  const auto limit = number_in(memory + "/memory.limit_in_bytes");
  out.memory_limit = limit >= kUnlimitedV1 ? 0 : limit;
  out.memory_oom_kills = table_in(memory + "/memory.oom_control")["oom_kill"];
  out.memory_raw = table_in(memory + "/memory.stat");
  const auto pids = v1_directory(record, "pids");
  out.pids_current = number_in(pids + "/pids.current");
  out.pids_limit = number_in(pids + "/pids.max");
}

void read_v2(const std::string& group, ContainerStatistics& out) {
  constexpr std::uint64_t kNsPerUs = 1000;
  auto cpu = table_in(group + "/cpu.stat");
  out.cpu_total_ns = cpu["usage_usec"] * kNsPerUs;
  out.cpu_user_ns = cpu["user_usec"] * kNsPerUs;
  out.cpu_kernel_ns = cpu["system_usec"] * kNsPerUs;
  out.throttled_periods = cpu["nr_throttled"];
  out.throttled_ns = cpu["throttled_usec"] * kNsPerUs;
  out.memory_usage = number_in(group + "/memory.current");
  out.memory_peak = number_in(group + "/memory.peak");
  out.memory_limit = number_in(group + "/memory.max");
  out.memory_oom_kills = table_in(group + "/memory.events")["oom_kill"];
  out.memory_raw = table_in(group + "/memory.stat");
  out.pids_current = number_in(group + "/pids.current");
  out.pids_limit = number_in(group + "/pids.max");
}

}  // namespace

Result<ContainerStatistics> read_cgroup_statistics(const CgroupRecord& record) {
  if (record.directories.empty()) return fail(ErrorCode::kUnsupported, "the container has no cgroup to be measured by");
  ContainerStatistics out;
  const bool v1 = std::ranges::any_of(record.directories, [](const auto& entry) { return !is_unified(entry); });
  if (v1) {
    read_v1(record, out);
  } else {
    read_v2(record.directories.front().path, out);
  }
  return out;
}

}  // namespace skerry::oci
