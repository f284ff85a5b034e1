#include "oci/exec_process.h"

namespace skerry::oci {
namespace {

void add_capabilities(Process& process, const std::vector<std::string>& names) {
  if (names.empty()) return;
  auto& sets = process.capabilities ? *process.capabilities : process.capabilities.emplace();
  for (const auto& name : names) {
    sets.bounding.push_back(name);
    sets.effective.push_back(name);
    sets.permitted.push_back(name);
  }
}

}  // namespace

Result<Process> exec_process(const ExecRequest& request, const Spec& spec) {
  if (request.process) return *request.process;
  if (request.args.empty()) return fail(ErrorCode::kInvalidArgument, "exec: no command is given");
  Process process = spec.process.value_or(Process{});
  process.args = request.args;
  process.terminal = request.tty;
  process.console_size.reset();
  process.env.insert(process.env.end(), request.env.begin(), request.env.end());
  if (request.cwd) process.cwd = *request.cwd;
  if (request.user) {
    process.user.uid = request.user->uid;
    process.user.gid = request.user->gid;
    process.user.additional_gids.clear();
  }
  process.user.additional_gids.insert(process.user.additional_gids.end(), request.additional_gids.begin(),
                                      request.additional_gids.end());
  if (request.no_new_privileges) process.no_new_privileges = *request.no_new_privileges;
  if (!request.apparmor_profile.empty()) process.apparmor_profile = request.apparmor_profile;
  if (!request.process_label.empty()) process.selinux_label = request.process_label;
  add_capabilities(process, request.capabilities);
  return process;
}

}  // namespace skerry::oci
