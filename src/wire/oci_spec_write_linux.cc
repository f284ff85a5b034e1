#include "wire/oci_spec_write.h"

namespace skerry::oci::writer {
namespace {

Json namespace_value(const Namespace& entry) {
  Json out{{"type", entry.type}};
  put(out, "path", entry.path);
  return out;
}

Json device_value(const Device& device) {
  Json out{{"type", device.type}, {"path", device.path}};
  if (device.type != "p") {
    out["major"] = device.major;
    out["minor"] = device.minor;
  }
  put(out, "fileMode", device.file_mode);
  put(out, "uid", device.uid);
  put(out, "gid", device.gid);
  return out;
}

Json seccomp_arg_value(const SeccompArg& arg) {
  Json out{{"index", arg.index}, {"value", arg.value}, {"op", arg.op}};
  if (arg.value_two != 0) out["valueTwo"] = arg.value_two;
  return out;
}

Json seccomp_value(const Seccomp& seccomp) {
  Json out{{"defaultAction", seccomp.default_action}};
  put(out, "defaultErrnoRet", seccomp.default_errno_ret);
  put(out, "architectures", seccomp.architectures);
  put(out, "flags", seccomp.flags);
  put(out, "listenerPath", seccomp.listener_path);
  put(out, "listenerMetadata", seccomp.listener_metadata);
  put(out, "syscalls", list(seccomp.syscalls, [](const SeccompRule& rule) {
        Json value{{"names", rule.names}, {"action", rule.action}};
        put(value, "errnoRet", rule.errno_ret);
        put(value, "args", list(rule.args, seccomp_arg_value));
        return value;
      }));
  return out;
}

Json intel_rdt_value(const IntelRdt& rdt) {
  Json out = Json::object();
  put(out, "closID", rdt.clos_id);
  put(out, "l3CacheSchema", rdt.l3_cache_schema);
  put(out, "memBwSchema", rdt.mem_bw_schema);
  put(out, "schemata", rdt.schemata);
  put_flag(out, "enableCMT", rdt.enable_cmt);
  put_flag(out, "enableMBM", rdt.enable_mbm);
  put_flag(out, "enableMonitoring", rdt.enable_monitoring);
  return out;
}

void put_scalars(Json& out, const Linux& linux_part) {
  put(out, "cgroupsPath", linux_part.cgroups_path);
  put(out, "rootfsPropagation", linux_part.rootfs_propagation);
  put(out, "maskedPaths", linux_part.masked_paths);
  put(out, "readonlyPaths", linux_part.readonly_paths);
  put(out, "mountLabel", linux_part.mount_label);
  put(out, "sysctl", Json(linux_part.sysctl));
}

}  // namespace

Json mappings_value(const std::vector<IdMapping>& entries) {
  return list(entries, [](const IdMapping& entry) {
    return Json{{"containerID", entry.container_id}, {"hostID", entry.host_id}, {"size", entry.size}};
  });
}

Json linux_value(const Linux& linux_part) {
  Json out = Json::object();
  put(out, "namespaces", list(linux_part.namespaces, namespace_value));
  put(out, "uidMappings", mappings_value(linux_part.uid_mappings));
  put(out, "gidMappings", mappings_value(linux_part.gid_mappings));
  for (const auto& [clock, offset] : linux_part.time_offsets) {
    out["timeOffsets"][clock] = Json{{"secs", offset.secs}, {"nanosecs", offset.nanosecs}};
  }
  put(out, "devices", list(linux_part.devices, device_value));
  put(out, "resources", resources_value(linux_part.resources));
  put_scalars(out, linux_part);
  if (linux_part.seccomp) out["seccomp"] = seccomp_value(*linux_part.seccomp);
  if (linux_part.personality) {
    auto& personality = out["personality"] = Json{{"domain", linux_part.personality->domain}};
    put(personality, "flags", linux_part.personality->flags);
  }
  if (linux_part.intel_rdt) out["intelRdt"] = intel_rdt_value(*linux_part.intel_rdt);
  for (const auto& [host_name, device] : linux_part.net_devices) {
    auto& value = out["netDevices"][host_name] = Json::object();
    put(value, "name", device.name);
  }
  if (linux_part.memory_policy) {
    auto& policy = out["memoryPolicy"] = Json{{"mode", linux_part.memory_policy->mode}};
    put(policy, "nodes", linux_part.memory_policy->nodes);
    put(policy, "flags", linux_part.memory_policy->flags);
  }
  return out;
}

}  // namespace skerry::oci::writer
