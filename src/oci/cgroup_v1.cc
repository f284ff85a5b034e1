// Limits on cgroup v1 hierarchies (Documentation/admin-guide/cgroup-v1/).
#include <algorithm>
#include <array>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "oci/cgroup.h"
#include "oci/device_rules.h"

namespace skerry::oci {
namespace {

// Writes below the directory of one controller; its absence is an error only when something is to be written.
class V1Controller {
 public:
  V1Controller(const CgroupRecord& record, std::string_view name) : name_(name) {
    for (const auto& directory : record.directories) {
      if (std::ranges::find(directory.controllers, name) != directory.controllers.end()) path_ = directory.path;
    }
  }

  [[nodiscard]] bool present() const { return !path_.empty(); }
  [[nodiscard]] std::string file(std::string_view name) const { return cat(path_, "/", name); }

  Status write(std::string_view place, std::string_view name, std::string_view value) const {
    if (!present()) {
      return fail(ErrorCode::kUnsupported, cat("/linux/resources/", place, ": no ", name_, " cgroup controller here"));
    }
    return annotate(write_existing(file(name), value), cat("/linux/resources/", place));
  }
  template <typename T>
  Status write_if(std::string_view place, std::string_view name, const std::optional<T>& value) const {
    return value ? write(place, name, cat(*value)) : Status{};
  }

 private:
  std::string name_;
  std::string path_;
};

// memory + swap may never be below memory: raising both needs swap first, lowering both needs memory first.
Status set_memory_and_swap(const V1Controller& memory, const MemoryLimits& limits) {
  if (!limits.limit || !limits.swap) {
    TRY(memory.write_if("memory/limit", "memory.limit_in_bytes", limits.limit));
    return memory.write_if("memory/swap", "memory.memsw.limit_in_bytes", limits.swap);
  }
  const auto write_swap = [&]() -> Status {
    // Without swap accounting memory alone is the limit, which is what an equal pair or "unlimited" asks.
    if (sys::is_missing(memory.file("memory.memsw.limit_in_bytes"))) return {};
    return memory.write("memory/swap", "memory.memsw.limit_in_bytes", cat(*limits.swap));
  };
  if (memory.write("memory/limit", "memory.limit_in_bytes", cat(*limits.limit))) return write_swap();
  TRY(write_swap());
  return memory.write("memory/limit", "memory.limit_in_bytes", cat(*limits.limit));
}

Status set_memory(const CgroupRecord& record, const MemoryLimits& limits) {
  const V1Controller memory(record, "memory");
  TRY(set_memory_and_swap(memory, limits));
  TRY(memory.write_if("memory/reservation", "memory.soft_limit_in_bytes", limits.reservation));
  // Kernels since 5.16 have no separate kernel limit: kernel memory is part of the whole.
  if (limits.kernel && sys::exists(memory.file("memory.kmem.limit_in_bytes"))) {
    (void)memory.write("memory/kernel", "memory.kmem.limit_in_bytes", cat(*limits.kernel));
  }
  TRY(memory.write_if("memory/kernelTCP", "memory.kmem.tcp.limit_in_bytes", limits.kernel_tcp));
  TRY(memory.write_if("memory/swappiness", "memory.swappiness", limits.swappiness));
  if (limits.disable_oom_killer.value_or(false))
    TRY(memory.write("memory/disableOOMKiller", "memory.oom_control", "1"));
  return {};
}

// Quota and period are checked against each other on every write: whichever order the kernel accepts.
Status set_cpu_bandwidth(const V1Controller& cpu, const CpuLimits& limits) {
  const bool period_first = cpu.write_if("cpu/period", "cpu.cfs_period_us", limits.period_us).has_value();
  TRY(cpu.write_if("cpu/quota", "cpu.cfs_quota_us", limits.quota_us));
  if (!period_first) TRY(cpu.write_if("cpu/period", "cpu.cfs_period_us", limits.period_us));
  return cpu.write_if("cpu/burst", "cpu.cfs_burst_us", limits.burst_us);
}

Status set_cpu(const CgroupRecord& record, const CpuLimits& limits) {
  const V1Controller cpu(record, "cpu");
  TRY(cpu.write_if("cpu/idle", "cpu.idle", limits.idle));
  if (limits.shares.value_or(0) != 0) TRY(cpu.write("cpu/shares", "cpu.shares", cat(*limits.shares)));
  TRY(set_cpu_bandwidth(cpu, limits));
  TRY(cpu.write_if("cpu/realtimePeriod", "cpu.rt_period_us", limits.realtime_period_us));
  TRY(cpu.write_if("cpu/realtimeRuntime", "cpu.rt_runtime_us", limits.realtime_runtime_us));
  const V1Controller cpuset(record, "cpuset");
  if (!limits.cpus.empty()) TRY(cpuset.write("cpu/cpus", "cpuset.cpus", limits.cpus));
  if (!limits.mems.empty()) TRY(cpuset.write("cpu/mems", "cpuset.mems", limits.mems));
  return {};
}

std::string device_number(std::int64_t major, std::int64_t minor) { return cat(major, ":", minor); }

Status throttle(const V1Controller& blkio, std::string_view place, std::string_view file,
                const std::vector<ThrottleDevice>& devices) {
  for (const auto& device : devices) {
    TRY(blkio.write(place, file, cat(device_number(device.major, device.minor), " ", device.rate)));
  }
  return {};
}

Status set_block_io(const CgroupRecord& record, const BlockIoLimits& limits) {
  const V1Controller blkio(record, "blkio");
  // The weight belongs to CFQ before 5.0 and to BFQ since; without such a scheduler the file is not there.
  const bool bfq = sys::exists(blkio.file("blkio.bfq.weight"));
  TRY(blkio.write_if("blockIO/weight", bfq ? "blkio.bfq.weight" : "blkio.weight", limits.weight));
  TRY(blkio.write_if("blockIO/leafWeight", "blkio.leaf_weight", limits.leaf_weight));
  for (const auto& device : limits.weight_device) {
    const std::string number = device_number(device.major, device.minor);
    if (device.weight) {
      TRY(blkio.write("blockIO/weightDevice", bfq ? "blkio.bfq.weight_device" : "blkio.weight_device",
                      cat(number, " ", *device.weight)));
    }
    if (device.leaf_weight) {
      TRY(blkio.write("blockIO/weightDevice", "blkio.leaf_weight_device", cat(number, " ", *device.leaf_weight)));
    }
  }
  TRY(throttle(blkio, "blockIO/throttleReadBpsDevice", "blkio.throttle.read_bps_device", limits.throttle_read_bps));
  TRY(throttle(blkio, "blockIO/throttleWriteBpsDevice", "blkio.throttle.write_bps_device", limits.throttle_write_bps));
  TRY(throttle(blkio, "blockIO/throttleReadIOPSDevice", "blkio.throttle.read_iops_device", limits.throttle_read_iops));
  return throttle(blkio, "blockIO/throttleWriteIOPSDevice", "blkio.throttle.write_iops_device",
                  limits.throttle_write_iops);
}

Status set_hugepages(const CgroupRecord& record, const std::vector<HugepageLimit>& limits) {
  const V1Controller hugetlb(record, "hugetlb");
  for (const auto& entry : limits) {
    TRY(hugetlb.write("hugepageLimits", cat("hugetlb.", entry.page_size, ".limit_in_bytes"), cat(entry.limit)));
    TRY(hugetlb.write_if("hugepageLimits/rsvd", cat("hugetlb.", entry.page_size, ".rsvd.limit_in_bytes"), entry.rsvd));
  }
  return {};
}

Status set_network(const CgroupRecord& record, const NetworkLimits& limits) {
  TRY(V1Controller(record, "net_cls").write_if("network/classID", "net_cls.classid", limits.class_id));
  const V1Controller priorities(record, "net_prio");
  for (const auto& entry : limits.priorities) {
    TRY(priorities.write("network/priorities", "net_prio.ifpriomap", cat(entry.name, " ", entry.priority)));
  }
  return {};
}

Status set_rdma(const CgroupRecord& record, const std::map<std::string, RdmaLimit>& limits) {
  const V1Controller rdma(record, "rdma");
  for (const auto& [device, limit] : limits) {
    std::string line = device;
    if (limit.hca_handles) line += cat(" hca_handle=", *limit.hca_handles);
    if (limit.hca_objects) line += cat(" hca_object=", *limit.hca_objects);
    TRY(rdma.write("rdma", "rdma.max", line));
  }
  return {};
}

Status set_devices(const CgroupRecord& record, const std::vector<DeviceRule>& rules) {
  if (rules.empty()) return {};
  const V1Controller devices(record, "devices");
  for (const auto& rule : effective_device_rules(rules)) {
    TRY(devices.write("devices", rule.allow ? "devices.allow" : "devices.deny", device_rule_line(rule)));
  }
  return {};
}

// The parent's value, filled in first when it is empty itself.
Status inherit_cpuset(const std::string& mount_point, const std::string& directory, const std::string& file) {
  const std::string own = TRY(read_file(cat(directory, "/", file)));
  if (!trim(own).empty()) return {};
  if (directory == mount_point) return fail(ErrorCode::kIo, cat(file, " of the root cpuset is empty"));
  const std::string parent = directory.substr(0, directory.rfind('/'));
  TRY(inherit_cpuset(mount_point, parent, file));
  const std::string value = TRY(read_file(cat(parent, "/", file)));
  return write_existing(cat(directory, "/", file), trim(value));
}

}  // namespace

Status prepare_v1_cpuset(const std::string& mount_point, const std::string& directory) {
  TRY(inherit_cpuset(mount_point, directory, "cpuset.cpus"));
  return inherit_cpuset(mount_point, directory, "cpuset.mems");
}

Status set_v1_limits(const CgroupRecord& record, const Resources& resources) {
  if (!resources.unified.empty()) {
    return fail(ErrorCode::kUnsupported, "/linux/resources/unified: this host's controllers are not on cgroup v2");
  }
  TRY(set_devices(record, resources.devices));
  if (resources.memory) TRY(set_memory(record, *resources.memory));
  if (resources.cpu) TRY(set_cpu(record, *resources.cpu));
  if (resources.pids_limit) {
    const auto limit = *resources.pids_limit;
    TRY(V1Controller(record, "pids").write("pids/limit", "pids.max", limit > 0 ? cat(limit) : "max"));
  }
  if (resources.block_io) TRY(set_block_io(record, *resources.block_io));
  TRY(set_hugepages(record, resources.hugepage_limits));
  if (resources.network) TRY(set_network(record, *resources.network));
  return set_rdma(record, resources.rdma);
}

}  // namespace skerry::oci
