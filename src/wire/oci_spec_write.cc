#include "wire/oci_spec_write.h"

namespace skerry::oci {
namespace writer {
namespace {

Json capabilities_value(const Capabilities& caps) {
  Json out = Json::object();
  out["bounding"] = caps.bounding;
  out["effective"] = caps.effective;
  out["inheritable"] = caps.inheritable;
  out["permitted"] = caps.permitted;
  out["ambient"] = caps.ambient;
  return out;
}

Json user_value(const User& user) {
  Json out{{"uid", user.uid}, {"gid", user.gid}};
  put(out, "umask", user.umask);
  put(out, "additionalGids", user.additional_gids);
  return out;
}

Json scheduler_value(const Scheduler& scheduler) {
  Json out{{"policy", scheduler.policy}};
  if (scheduler.nice != 0) out["nice"] = scheduler.nice;
  if (scheduler.priority != 0) out["priority"] = scheduler.priority;
  put(out, "flags", scheduler.flags);
  if (scheduler.runtime != 0) out["runtime"] = scheduler.runtime;
  if (scheduler.deadline != 0) out["deadline"] = scheduler.deadline;
  if (scheduler.period != 0) out["period"] = scheduler.period;
  return out;
}

Json hook_value(const Hook& hook) {
  Json out{{"path", hook.path}};
  put(out, "args", hook.args);
  put(out, "env", hook.env);
  put(out, "timeout", hook.timeout_s);
  return out;
}

Json hooks_value(const Hooks& hooks) {
  Json out = Json::object();
  put(out, "prestart", list(hooks.prestart, hook_value));
  put(out, "createRuntime", list(hooks.create_runtime, hook_value));
  put(out, "createContainer", list(hooks.create_container, hook_value));
  put(out, "startContainer", list(hooks.start_container, hook_value));
  put(out, "poststart", list(hooks.poststart, hook_value));
  put(out, "poststop", list(hooks.poststop, hook_value));
  return out;
}

Json mount_value(const Mount& mount) {
  Json out{{"destination", mount.destination}};
  put(out, "type", mount.type);
  put(out, "source", mount.source);
  put(out, "options", mount.options);
  put(out, "uidMappings", mappings_value(mount.uid_mappings));
  put(out, "gidMappings", mappings_value(mount.gid_mappings));
  return out;
}

Json spec_value(const Spec& spec) {
  Json out = Json::object();
  out["ociVersion"] = spec.oci_version;
  if (spec.process) out["process"] = process_value(*spec.process);
  out["root"] = Json{{"path", spec.root.path}};
  put_flag(out["root"], "readonly", spec.root.readonly);
  put(out, "hostname", spec.hostname);
  put(out, "domainname", spec.domainname);
  put(out, "mounts", list(spec.mounts, mount_value));
  put(out, "hooks", hooks_value(spec.hooks));
  put(out, "annotations", Json(spec.annotations));
  put(out, "linux", linux_value(spec.linux_part));
  return out;
}

std::string text(const Json& value) {
  // Bytes that are not UTF-8 cannot stand in JSON; they become U+FFFD instead of an exception.
  return value.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

Json process_value(const Process& process) {
  Json out = Json::object();
  put_flag(out, "terminal", process.terminal);
  if (process.console_size) {
    out["consoleSize"] = Json{{"height", process.console_size->height}, {"width", process.console_size->width}};
  }
  out["user"] = user_value(process.user);
  out["args"] = process.args;
  put(out, "env", process.env);
  out["cwd"] = process.cwd;
  if (process.capabilities) out["capabilities"] = capabilities_value(*process.capabilities);
  put(out, "rlimits", list(process.rlimits, [](const Rlimit& limit) {
        return Json{{"type", limit.type}, {"soft", limit.soft}, {"hard", limit.hard}};
      }));
  put_flag(out, "noNewPrivileges", process.no_new_privileges);
  put(out, "apparmorProfile", process.apparmor_profile);
  put(out, "selinuxLabel", process.selinux_label);
  put(out, "oomScoreAdj", process.oom_score_adj);
  if (process.scheduler) out["scheduler"] = scheduler_value(*process.scheduler);
  if (process.io_priority) {
    out["ioPriority"] = Json{{"class", process.io_priority->io_class}, {"priority", process.io_priority->priority}};
  }
  if (process.exec_cpu_affinity) {
    auto& affinity = out["execCPUAffinity"] = Json::object();
    put(affinity, "initial", process.exec_cpu_affinity->initial);
    put(affinity, "final", process.exec_cpu_affinity->final_list);
  }
  return out;
}

}  // namespace writer

std::string to_json(const Spec& spec) { return writer::text(writer::spec_value(spec)); }
std::string to_json(const Process& process) { return writer::text(writer::process_value(process)); }
std::string to_json(const Resources& resources) { return writer::text(writer::resources_value(resources)); }

}  // namespace skerry::oci
