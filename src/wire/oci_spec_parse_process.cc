#include "wire/oci_spec_read.h"

namespace skerry::oci {
namespace {

void read_capabilities(const reader::JsonReader& json, Capabilities& out) {
  json.get("bounding", out.bounding);
  json.get("effective", out.effective);
  json.get("inheritable", out.inheritable);
  json.get("permitted", out.permitted);
  json.get("ambient", out.ambient);
}

void read_user(const reader::JsonReader& json, User& out) {
  json.get("uid", out.uid);
  json.get("gid", out.gid);
  json.get("umask", out.umask);
  if (out.umask && *out.umask > 0777) json.complain_at("umask", cat(*out.umask, " is larger than 0777 (511)"));
  json.get("additionalGids", out.additional_gids);
}

void read_scheduler(const reader::JsonReader& json, Scheduler& out) {
  json.require("policy", out.policy);
  if (json.failed()) return;
  json.expect_one_of(
      "policy", out.policy,
      {"SCHED_OTHER", "SCHED_FIFO", "SCHED_RR", "SCHED_BATCH", "SCHED_ISO", "SCHED_IDLE", "SCHED_DEADLINE"});
  json.get("nice", out.nice);
  json.get("priority", out.priority);
  json.get("flags", out.flags);
  json.get("runtime", out.runtime);
  json.get("deadline", out.deadline);
  json.get("period", out.period);
}

void read_io_priority(const reader::JsonReader& json, IoPriority& out) {
  json.require("class", out.io_class);
  if (json.failed()) return;
  json.expect_one_of("class", out.io_class, {"IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"});
  json.get("priority", out.priority);
  if (out.priority < 0 || out.priority > 7) json.complain_at("priority", "must be 0 to 7");
}

void read_console_size(const reader::JsonReader& json, ConsoleSize& out) {
  json.get("height", out.height);
  json.get("width", out.width);
}

void check_env(const reader::JsonReader& json, const std::vector<std::string>& env) {
  for (std::size_t index = 0; index < env.size(); ++index) {
    const auto equals = env[index].find('=');
    if (equals == std::string::npos || equals == 0) {
      return json.complain_at("env", cat("element ", index, " is not NAME=value"));
    }
  }
}

}  // namespace

void read_value(const reader::JsonReader& json, Rlimit& out) {
  json.require("type", out.type);
  json.get("soft", out.soft);
  json.get("hard", out.hard);
  if (!json.failed() && out.soft > out.hard) {
    json.complain_at("soft", cat(out.soft, " is larger than the hard limit ", out.hard));
  }
}

void read_value(const reader::JsonReader& json, Process& out) {
  json.get("terminal", out.terminal);
  if (const auto size = json.member("consoleSize")) read_console_size(*size, out.console_size.emplace());
  if (const auto user = json.member("user")) read_user(*user, out.user);
  json.get("args", out.args);
  if (!json.failed() && out.args.empty()) json.complain_at("args", "is required and must not be empty");
  json.get("env", out.env);
  check_env(json, out.env);
  json.require("cwd", out.cwd);
  if (!json.failed() && out.cwd.front() != '/') json.complain_at("cwd", "must be absolute");
  if (const auto caps = json.member("capabilities")) read_capabilities(*caps, out.capabilities.emplace());
  json.get("rlimits", out.rlimits);
  json.get("noNewPrivileges", out.no_new_privileges);
  json.get("apparmorProfile", out.apparmor_profile);
  json.get("selinuxLabel", out.selinux_label);
  json.get("oomScoreAdj", out.oom_score_adj);
  if (out.oom_score_adj && (*out.oom_score_adj < -1000 || *out.oom_score_adj > 1000)) {
    json.complain_at("oomScoreAdj", "must be -1000 to 1000");
  }
  if (const auto scheduler = json.member("scheduler")) read_scheduler(*scheduler, out.scheduler.emplace());
  if (const auto io = json.member("ioPriority")) read_io_priority(*io, out.io_priority.emplace());
  if (const auto affinity = json.member("execCPUAffinity")) {
    auto& lists = out.exec_cpu_affinity.emplace();
    affinity->get("initial", lists.initial);
    affinity->get("final", lists.final_list);
  }
}

}  // namespace skerry::oci
