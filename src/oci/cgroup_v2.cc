// Limits on the unified hierarchy (Documentation/admin-guide/cgroup-v2.rst).
#include <algorithm>
#include <cmath>
#include <set>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "oci/cgroup.h"
#include "oci/device_filter.h"

namespace skerry::oci {
namespace {

class V2Group {
 public:
  explicit V2Group(std::string directory) : directory_(std::move(directory)) {}

  [[nodiscard]] bool has(std::string_view name) const { return !sys::is_missing(cat(directory_, "/", name)); }
  Status write(std::string_view place, std::string_view name, std::string_view value) const {
    auto done = write_existing(cat(directory_, "/", name), value);
    if (!done && done.error().sys_errno == ENOENT) {
      const auto controller = name.substr(0, name.find('.'));
      return fail(ErrorCode::kUnsupported,
                  cat("/linux/resources/", place, ": the ", controller, " cgroup controller is not available"));
    }
    return annotate(std::move(done), cat("/linux/resources/", place));
  }

 private:
  std::string directory_;
};

// Bytes, or "max" for -1.
std::string bytes_or_max(std::int64_t value) { return value < 0 ? "max" : cat(value); }

Status set_memory(const V2Group& group, const MemoryLimits& limits) {
  // v1 counts memory + swap, v2 swap alone. Both unlimited, or swap without memory, cannot be told apart: an error.
  if (limits.swap) {
    const auto memory = limits.limit.value_or(0);
    std::string swap = "max";
    if (*limits.swap >= 0) {
      if (memory <= 0 || *limits.swap < memory) {
        return fail(ErrorCode::kInvalidArgument,
                    "/linux/resources/memory/swap: must be memory + swap, so not below limit");
      }
      swap = cat(*limits.swap - memory);
    }
    // No swap accounting and none asked: nothing to write.
    if (group.has("memory.swap.max") || (swap != "max" && swap != "0")) {
      TRY(group.write("memory/swap", "memory.swap.max", swap));
    }
  }
  if (limits.limit) TRY(group.write("memory/limit", "memory.max", bytes_or_max(*limits.limit)));
  if (limits.reservation) TRY(group.write("memory/reservation", "memory.low", bytes_or_max(*limits.reservation)));
  return {};
}

Status set_cpu(const V2Group& group, const CpuLimits& limits) {
  if (limits.realtime_runtime_us.value_or(0) != 0 || limits.realtime_period_us.value_or(0) != 0) {
    return fail(ErrorCode::kUnsupported, "/linux/resources/cpu/realtimeRuntime: cgroup v2 has no realtime limits");
  }
  if (limits.idle) TRY(group.write("cpu/idle", "cpu.idle", cat(*limits.idle)));
  // An idle group has no weight of its own; the kernel refuses to write one.
  if (limits.shares.value_or(0) != 0 && limits.idle.value_or(0) == 0) {
    TRY(group.write("cpu/shares", "cpu.weight", cat(weight_from_shares(*limits.shares))));
  }
  if (limits.quota_us || limits.period_us) {
    const auto quota = limits.quota_us.value_or(-1);
    const auto period = limits.period_us.value_or(0) == 0 ? kDefaultCpuPeriodUs : *limits.period_us;
    TRY(group.write("cpu/quota", "cpu.max", cat(quota <= 0 ? "max" : cat(quota), " ", period)));
  }
  if (limits.burst_us) TRY(group.write("cpu/burst", "cpu.max.burst", cat(*limits.burst_us)));
  if (!limits.cpus.empty()) TRY(group.write("cpu/cpus", "cpuset.cpus", limits.cpus));
  if (!limits.mems.empty()) TRY(group.write("cpu/mems", "cpuset.mems", limits.mems));
  return {};
}

Status set_weights(const V2Group& group, const BlockIoLimits& limits) {
  const bool bfq = group.has("io.bfq.weight");
  const auto scaled = [&](std::uint16_t weight) {
    return bfq ? static_cast<std::uint64_t>(weight) : weight_from_block_io(weight);
  };
  const std::string_view file = bfq ? "io.bfq.weight" : "io.weight";
  if (limits.weight) TRY(group.write("blockIO/weight", file, cat("default ", scaled(*limits.weight))));
  for (const auto& device : limits.weight_device) {
    if (!device.weight) continue;
    TRY(group.write("blockIO/weightDevice", file, cat(device.major, ":", device.minor, " ", scaled(*device.weight))));
  }
  return {};
}

Status set_io_max(const V2Group& group, std::string_view place, std::string_view key,
                  const std::vector<ThrottleDevice>& devices) {
  for (const auto& device : devices) {
    const std::string rate = device.rate == 0 ? "max" : cat(device.rate);
    TRY(group.write(place, "io.max", cat(device.major, ":", device.minor, " ", key, "=", rate)));
  }
  return {};
}

Status set_block_io(const V2Group& group, const BlockIoLimits& limits) {
  TRY(set_weights(group, limits));
  TRY(set_io_max(group, "blockIO/throttleReadBpsDevice", "rbps", limits.throttle_read_bps));
  TRY(set_io_max(group, "blockIO/throttleWriteBpsDevice", "wbps", limits.throttle_write_bps));
  TRY(set_io_max(group, "blockIO/throttleReadIOPSDevice", "riops", limits.throttle_read_iops));
  return set_io_max(group, "blockIO/throttleWriteIOPSDevice", "wiops", limits.throttle_write_iops);
}

Status set_rest(const V2Group& group, const Resources& resources) {
  for (const auto& entry : resources.hugepage_limits) {
    TRY(group.write("hugepageLimits", cat("hugetlb.", entry.page_size, ".max"), cat(entry.limit)));
    if (entry.rsvd) {
      TRY(group.write("hugepageLimits/rsvd", cat("hugetlb.", entry.page_size, ".rsvd.max"), cat(*entry.rsvd)));
    }
  }
  for (const auto& [device, limit] : resources.rdma) {
    std::string line = device;
    if (limit.hca_handles) line += cat(" hca_handle=", *limit.hca_handles);
    if (limit.hca_objects) line += cat(" hca_object=", *limit.hca_objects);
    TRY(group.write("rdma", "rdma.max", line));
  }
  if (resources.network && (resources.network->class_id || !resources.network->priorities.empty())) {
    return fail(ErrorCode::kUnsupported, "/linux/resources/network: cgroup v2 has no network controller");
  }
  for (const auto& [file, value] : resources.unified) TRY(group.write("unified", file, value));
  return {};
}

// The controllers whose files `resources` will write, beside those a container is measured and held by.
std::set<std::string> wanted_controllers(const Resources& resources) {
  std::set<std::string> out = {"cpu", "memory", "pids"};
  if (resources.cpu && (!resources.cpu->cpus.empty() || !resources.cpu->mems.empty())) out.insert("cpuset");
  if (resources.block_io) out.insert("io");
  if (!resources.hugepage_limits.empty()) out.insert("hugetlb");
  if (!resources.rdma.empty()) out.insert("rdma");
  for (const auto& [file, value] : resources.unified) out.insert(file.substr(0, file.find('.')));
  return out;
}

std::set<std::string> words_of(const std::string& text) {
  std::set<std::string> out;
  for (const auto word : split(trim(text), ' ')) {
    if (!word.empty()) out.emplace(word);
  }
  return out;
}

// One write a group, and none when they are on already, which in one group means in all above it. A controller that
// cannot be had is noticed when a limit needs it.
Status enable_down_to(const std::string& mount_point, const std::string& group, const std::set<std::string>& wanted) {
  const auto enabled = words_of(TRY(read_file(group + "/cgroup.subtree_control")));
  if (std::ranges::includes(enabled, wanted)) return {};
  if (group.size() > mount_point.size()) {
    TRY(enable_down_to(mount_point, group.substr(0, group.rfind('/')), wanted));
  }
  const auto available = words_of(TRY(read_file(group + "/cgroup.controllers")));
  std::string line;
  for (const auto& name : wanted) {
    if (available.contains(name) && !enabled.contains(name)) line += cat(line.empty() ? "" : " ", "+", name);
  }
  if (line.empty() || write_existing(group + "/cgroup.subtree_control", line)) return {};
  // One of them may be refused (a group with processes of its own): take the others.
  for (const auto word : split(line, ' ')) (void)write_existing(group + "/cgroup.subtree_control", word);
  return {};
}

}  // namespace

std::uint64_t weight_from_shares(std::uint64_t shares) {
  const std::uint64_t bounded = std::clamp<std::uint64_t>(shares, 2, 262144);
  return 1 + ((bounded - 2) * 9999) / 262142;
}

std::uint64_t weight_from_block_io(std::uint16_t weight) {
  return 1 + (static_cast<std::uint64_t>(std::clamp<std::uint16_t>(weight, 10, 1000)) - 10) * 9999 / 990;
}

Status enable_v2_controllers(const std::string& mount_point, const std::string& directory, const Resources& resources) {
  const std::string parent = directory.substr(0, directory.rfind('/'));
  return annotate(enable_down_to(mount_point, parent, wanted_controllers(resources)), "enable cgroup controllers");
}

Status set_v2_limits(const std::string& directory, const Resources& resources) {
  const V2Group group(directory);
  if (!resources.devices.empty()) TRY(attach_device_filter(directory, resources.devices));
  if (resources.memory) TRY(set_memory(group, *resources.memory));
  if (resources.cpu) TRY(set_cpu(group, *resources.cpu));
  if (resources.pids_limit) {
    const auto limit = *resources.pids_limit;
    TRY(group.write("pids/limit", "pids.max", limit > 0 ? cat(limit) : "max"));
  }
  if (resources.block_io) TRY(set_block_io(group, *resources.block_io));
  return set_rest(group, resources);
}

}  // namespace skerry::oci
