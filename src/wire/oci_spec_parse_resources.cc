#include "wire/oci_spec_read.h"

namespace skerry::oci {
namespace {

// Docker writes 0 for every limit that was not asked, in configurations and in updates; none of these can be 0.
template <typename... Limits>
void drop_zeros(std::optional<Limits>&... limits) {
  const auto drop = [](auto& limit) {
    if (limit && *limit == 0) limit.reset();
  };
  (drop(limits), ...);
}

void read_memory(const reader::JsonReader& json, MemoryLimits& out) {
  json.get("limit", out.limit);
  json.get("reservation", out.reservation);
  json.get("swap", out.swap);
  json.get("kernel", out.kernel);
  json.get("kernelTCP", out.kernel_tcp);
  drop_zeros(out.limit, out.reservation, out.swap, out.kernel, out.kernel_tcp);
  json.get("swappiness", out.swappiness);
  if (out.swappiness && *out.swappiness > 100) json.complain_at("swappiness", "must be 0 to 100");
  json.get("disableOOMKiller", out.disable_oom_killer);
  json.get("useHierarchy", out.use_hierarchy);
  json.get("checkBeforeUpdate", out.check_before_update);
}

void read_cpu(const reader::JsonReader& json, CpuLimits& out) {
  json.get("shares", out.shares);
  json.get("quota", out.quota_us);
  json.get("burst", out.burst_us);
  json.get("period", out.period_us);
  json.get("realtimeRuntime", out.realtime_runtime_us);
  json.get("realtimePeriod", out.realtime_period_us);
  drop_zeros(out.shares, out.quota_us, out.period_us, out.realtime_runtime_us, out.realtime_period_us);
  json.get("cpus", out.cpus);
  json.get("mems", out.mems);
  json.get("idle", out.idle);
}

void read_block_io(const reader::JsonReader& json, BlockIoLimits& out) {
  json.get("weight", out.weight);
  json.get("leafWeight", out.leaf_weight);
  drop_zeros(out.weight, out.leaf_weight);
  json.get("weightDevice", out.weight_device);
  json.get("throttleReadBpsDevice", out.throttle_read_bps);
  json.get("throttleWriteBpsDevice", out.throttle_write_bps);
  json.get("throttleReadIOPSDevice", out.throttle_read_iops);
  json.get("throttleWriteIOPSDevice", out.throttle_write_iops);
}

void read_network(const reader::JsonReader& json, NetworkLimits& out) {
  json.get("classID", out.class_id);
  json.get("priorities", out.priorities);
}

// A v2 file name ("memory.high"). A slash would leave the container's own cgroup.
void read_unified(const reader::JsonReader& json, std::map<std::string, std::string>& out) {
  json.each_member([&](const std::string& name, const reader::JsonReader& value) {
    if (name.empty() || name.find('/') != std::string::npos || name.find('.') == std::string::npos ||
        name.starts_with('.')) {
      return value.complain("is not the name of a cgroup file");
    }
    value.read(out[name]);
  });
}

void read_rdma(const reader::JsonReader& json, std::map<std::string, RdmaLimit>& out) {
  json.each_member([&](const std::string& name, const reader::JsonReader& value) {
    value.get("hcaHandles", out[name].hca_handles);
    value.get("hcaObjects", out[name].hca_objects);
  });
}

}  // namespace

void read_value(const reader::JsonReader& json, DeviceRule& out) {
  json.get("allow", out.allow);
  json.get("type", out.type);
  if (!out.type.empty()) json.expect_one_of("type", out.type, {"a", "b", "c"});
  json.get("major", out.major);
  json.get("minor", out.minor);
  json.get("access", out.access);
  if (out.access.find_first_not_of("rwm") != std::string::npos) json.complain_at("access", "may only contain r, w, m");
}

void read_value(const reader::JsonReader& json, WeightDevice& out) {
  json.get("major", out.major);
  json.get("minor", out.minor);
  json.get("weight", out.weight);
  json.get("leafWeight", out.leaf_weight);
}

void read_value(const reader::JsonReader& json, ThrottleDevice& out) {
  json.get("major", out.major);
  json.get("minor", out.minor);
  json.get("rate", out.rate);
}

void read_value(const reader::JsonReader& json, HugepageLimit& out) {
  json.require("pageSize", out.page_size);
  if (out.page_size.find('/') != std::string::npos) json.complain_at("pageSize", "must not contain a slash");
  json.get("limit", out.limit);
  json.get("rsvd", out.rsvd);
}

void read_value(const reader::JsonReader& json, NetworkPriority& out) {
  json.require("name", out.name);
  json.get("priority", out.priority);
}

void read_value(const reader::JsonReader& json, Resources& out) {
  json.get("devices", out.devices);
  if (const auto memory = json.member("memory")) read_memory(*memory, out.memory.emplace());
  if (const auto cpu = json.member("cpu")) read_cpu(*cpu, out.cpu.emplace());
  if (const auto pids = json.member("pids")) {
    pids->get("limit", out.pids_limit);
    drop_zeros(out.pids_limit);
  }
  if (const auto block = json.member("blockIO")) read_block_io(*block, out.block_io.emplace());
  json.get("hugepageLimits", out.hugepage_limits);
  if (const auto network = json.member("network")) read_network(*network, out.network.emplace());
  if (const auto rdma = json.member("rdma")) read_rdma(*rdma, out.rdma);
  if (const auto unified = json.member("unified")) read_unified(*unified, out.unified);
}

}  // namespace skerry::oci
