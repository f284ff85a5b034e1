#include "wire/oci_spec_features.h"

#include "wire/oci_spec_write.h"

namespace skerry::oci {
namespace {

using writer::Json;

Json seccomp_value(const Features& features) {
  Json out = Json::object();
  out["enabled"] = true;
  out["actions"] = {"SCMP_ACT_ALLOW",        "SCMP_ACT_ERRNO",       "SCMP_ACT_KILL",
                    "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG",
                    "SCMP_ACT_NOTIFY",       "SCMP_ACT_TRACE",       "SCMP_ACT_TRAP"};
  out["operators"] = {"SCMP_CMP_EQ", "SCMP_CMP_GE",        "SCMP_CMP_GT", "SCMP_CMP_LE",
                      "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE"};
  out["archs"] = features.seccomp_archs;
  out["knownFlags"] = features.seccomp_flags;
  out["supportedFlags"] = features.seccomp_flags;
  return out;
}

Json linux_value(const Features& features) {
  Json out = Json::object();
  out["namespaces"] = features.namespaces;
  out["capabilities"] = features.capabilities;
  out["cgroup"] = Json{{"v1", true},
                       {"v2", true},
                       {"systemd", features.systemd_cgroups},
                       {"systemdUser", features.systemd_cgroups},
                       {"rdma", true}};
  out["seccomp"] = seccomp_value(features);
  out["apparmor"] = Json{{"enabled", features.apparmor}};
  out["selinux"] = Json{{"enabled", features.selinux}};
  out["intelRdt"] = Json{{"enabled", true}};
  out["mountExtensions"] = Json{{"idmap", Json{{"enabled", true}}}};
  out["netDevices"] = Json{{"enabled", features.net_devices}};
  return out;
}

}  // namespace

std::string to_json(const Features& features) {
  Json out = Json::object();
  out["ociVersionMin"] = "1.0.0";
  out["ociVersionMax"] = kSpecVersion;
  out["hooks"] = {"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"};
  out["mountOptions"] = features.mount_options;
  out["linux"] = linux_value(features);
  out["annotations"] = features.annotations;
  return out.dump(2);
}

std::string statistics_document(const std::string& id, const ContainerStatistics& statistics) {
  Json data = Json::object();
  data["cpu"] = Json{{"usage", Json{{"total", statistics.cpu_total_ns},
                                    {"kernel", statistics.cpu_kernel_ns},
                                    {"user", statistics.cpu_user_ns}}},
                     {"throttling", Json{{"throttledPeriods", statistics.throttled_periods},
                                         {"throttledTime", statistics.throttled_ns}}}};
  data["memory"] = Json{{"usage", Json{{"limit", statistics.memory_limit},
                                       {"usage", statistics.memory_usage},
                                       {"max", statistics.memory_peak},
                                       {"failcnt", statistics.memory_oom_kills}}},
                        {"raw", statistics.memory_raw}};
  data["pids"] = Json{{"current", statistics.pids_current}, {"limit", statistics.pids_limit}};
  return Json{{"type", "stats"}, {"id", id}, {"data", data}}.dump();
}

std::string oom_document(const std::string& id) { return Json{{"type", "oom"}, {"id", id}}.dump(); }

}  // namespace skerry::oci
