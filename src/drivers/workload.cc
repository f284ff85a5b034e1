#include "drivers/workload.h"

#include <algorithm>

#include "base/signal_name.h"
#include "base/text.h"

namespace skerry {
namespace {

void set_variable(std::vector<std::string>& env, std::string_view name, std::string entry) {
  const std::string prefix = cat(name, "=");
  const auto found = std::ranges::find_if(env, [&](const std::string& other) { return other.starts_with(prefix); });
  if (found != env.end()) {
    *found = std::move(entry);
  } else {
    env.push_back(std::move(entry));
  }
}

}  // namespace

Result<Workload> resolve_workload(const EnvironmentSpec& spec, const ImageConfig* image) {
  static const ImageConfig kNothing;
  const ImageConfig& config = image != nullptr ? *image : kNothing;
  Workload workload;
  workload.argv = spec.entrypoint.empty() ? config.entrypoint : spec.entrypoint;
  const bool own_command = !spec.command.empty() || !spec.entrypoint.empty();
  const auto& command = own_command ? spec.command : config.cmd;
  workload.argv.insert(workload.argv.end(), command.begin(), command.end());
  if (workload.argv.empty()) {
    return fail(ErrorCode::kInvalidArgument, cat(spec.name, ": nothing to run"),
                "the image names no command: give one behind \"--\"");
  }
  for (const std::string_view entry : config.env) {
    set_variable(workload.env, entry.substr(0, entry.find('=')), std::string(entry));
  }
  for (const auto& [name, value] : spec.env) set_variable(workload.env, name, cat(name, "=", value));
  if (!config.workdir.empty()) workload.workdir = config.workdir;
  if (!spec.workdir.empty()) workload.workdir = spec.workdir;
  if (!workload.workdir.starts_with('/')) workload.workdir.insert(0, 1, '/');
  workload.user = spec.user.empty() ? config.user : spec.user;
  if (!config.stop_signal.empty())
    workload.stop_signal = TRY_IN("the image's stop signal", parse_signal(config.stop_signal));
  return workload;
}

}  // namespace skerry
