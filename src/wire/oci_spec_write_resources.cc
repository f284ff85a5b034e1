#include "wire/oci_spec_write.h"

namespace skerry::oci::writer {
namespace {

Json device_rule_value(const DeviceRule& rule) {
  Json out{{"allow", rule.allow}};
  put(out, "type", rule.type);
  put(out, "major", rule.major);
  put(out, "minor", rule.minor);
  put(out, "access", rule.access);
  return out;
}

Json memory_value(const MemoryLimits& memory) {
  Json out = Json::object();
  put(out, "limit", memory.limit);
  put(out, "reservation", memory.reservation);
  put(out, "swap", memory.swap);
  put(out, "kernel", memory.kernel);
  put(out, "kernelTCP", memory.kernel_tcp);
  put(out, "swappiness", memory.swappiness);
  put(out, "disableOOMKiller", memory.disable_oom_killer);
  put(out, "useHierarchy", memory.use_hierarchy);
  put(out, "checkBeforeUpdate", memory.check_before_update);
  return out;
}

Json cpu_value(const CpuLimits& cpu) {
  Json out = Json::object();
  put(out, "shares", cpu.shares);
  put(out, "quota", cpu.quota_us);
  put(out, "burst", cpu.burst_us);
  put(out, "period", cpu.period_us);
  put(out, "realtimeRuntime", cpu.realtime_runtime_us);
  put(out, "realtimePeriod", cpu.realtime_period_us);
  put(out, "cpus", cpu.cpus);
  put(out, "mems", cpu.mems);
  put(out, "idle", cpu.idle);
  return out;
}

Json weight_device_value(const WeightDevice& device) {
  Json out{{"major", device.major}, {"minor", device.minor}};
  put(out, "weight", device.weight);
  put(out, "leafWeight", device.leaf_weight);
  return out;
}

Json throttle_value(const ThrottleDevice& device) {
  return Json{{"major", device.major}, {"minor", device.minor}, {"rate", device.rate}};
}

Json block_io_value(const BlockIoLimits& block) {
  Json out = Json::object();
  put(out, "weight", block.weight);
  put(out, "leafWeight", block.leaf_weight);
  put(out, "weightDevice", list(block.weight_device, weight_device_value));
  put(out, "throttleReadBpsDevice", list(block.throttle_read_bps, throttle_value));
  put(out, "throttleWriteBpsDevice", list(block.throttle_write_bps, throttle_value));
  put(out, "throttleReadIOPSDevice", list(block.throttle_read_iops, throttle_value));
  put(out, "throttleWriteIOPSDevice", list(block.throttle_write_iops, throttle_value));
  return out;
}

Json network_value(const NetworkLimits& network) {
  Json out = Json::object();
  put(out, "classID", network.class_id);
  put(out, "priorities", list(network.priorities, [](const NetworkPriority& entry) {
        return Json{{"name", entry.name}, {"priority", entry.priority}};
      }));
  return out;
}

Json hugepage_value(const HugepageLimit& entry) {
  Json out{{"pageSize", entry.page_size}, {"limit", entry.limit}};
  put(out, "rsvd", entry.rsvd);
  return out;
}

}  // namespace

Json resources_value(const Resources& resources) {
  Json out = Json::object();
  put(out, "devices", list(resources.devices, device_rule_value));
  if (resources.memory) put(out, "memory", memory_value(*resources.memory));
  if (resources.cpu) put(out, "cpu", cpu_value(*resources.cpu));
  if (resources.pids_limit) out["pids"] = Json{{"limit", *resources.pids_limit}};
  if (resources.block_io) put(out, "blockIO", block_io_value(*resources.block_io));
  put(out, "hugepageLimits", list(resources.hugepage_limits, hugepage_value));
  if (resources.network) put(out, "network", network_value(*resources.network));
  for (const auto& [name, limit] : resources.rdma) {
    auto& value = out["rdma"][name] = Json::object();
    put(value, "hcaHandles", limit.hca_handles);
    put(value, "hcaObjects", limit.hca_objects);
  }
  put(out, "unified", Json(resources.unified));
  return out;
}

}  // namespace skerry::oci::writer
