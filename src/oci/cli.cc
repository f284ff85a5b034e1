#include "oci/cli.h"

#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/sys_file.h"
#include "base/text.h"
#include "oci/cli_commands.h"
#include "oci/out_of_memory.h"
#include "wire/oci_spec.h"

namespace skerry::oci {
namespace {

constexpr std::array kGlobals = {
    Option{"root", 0, Option::Kind::kValue, "state directory"},
    Option{"log", 0, Option::Kind::kValue, "file for messages"},
    Option{"log-format", 0, Option::Kind::kValue, "text or json"},
    Option{"debug", 0, Option::Kind::kFlag, "write debug messages too"},
    Option{"systemd-cgroup", 0, Option::Kind::kFlag, "same as --cgroup-manager systemd"},
    Option{"cgroup-manager", 0, Option::Kind::kValue, "cgroupfs, systemd or disabled"},
    Option{"rootless", 0, Option::Kind::kValue, "auto, true or false; what it would choose is found out by itself"},
    Option{"version", 'v', Option::Kind::kFlag, "print the version"},
    Option{"help", 'h', Option::Kind::kFlag, "print this"},
};

std::vector<std::span<const Command>> all_commands() {
  return {lifecycle_commands(), inspection_commands(), management_commands()};
}

const Command* find_command(std::string_view name) {
  for (const auto group : all_commands()) {
    for (const auto& command : group) {
      if (command.name == name) return &command;
    }
  }
  return nullptr;
}

std::string usage(const Face& face) {
  std::string out = cat("Usage: ", face.program, " [options] COMMAND [options] [arguments]\n\nCommands:\n");
  for (const auto group : all_commands()) {
    for (const auto& command : group) {
      std::string line = cat("  ", command.name);
      line.resize(14, ' ');
      out += cat(line, command.help, "\n");
    }
  }
  return cat(out, "\nOptions:\n", describe_options(kGlobals));
}

std::string usage_of(const Face& face, const Command& command) {
  return cat("Usage: ", face.program, " ", command.name, " [options] ", command.arguments, "\n\n", command.help, "\n\n",
             describe_options(command.options));
}

std::string default_root(const std::string& program) {
  if (::geteuid() == 0) return cat("/run/", program);
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  return runtime != nullptr && *runtime == '/' ? cat(runtime, "/", program) : cat("/tmp/", program, "-", ::geteuid());
}

Result<CgroupManager> cgroup_manager(const Arguments& globals) {
  const std::string name = globals.value("cgroup-manager");
  if (globals.flag("systemd-cgroup") && name.empty()) return CgroupManager::kSystemd;
  if (name == "systemd") return CgroupManager::kSystemd;
  if (name == "disabled") return CgroupManager::kDisabled;
  if (name.empty() || name == "cgroupfs") return CgroupManager::kCgroupfs;
  return fail(ErrorCode::kInvalidArgument, cat("--cgroup-manager ", name, ": is not cgroupfs, systemd or disabled"));
}

Status open_log(CliLog& log, const Arguments& globals) {
  const std::string format = globals.value("log-format");
  if (!format.empty() && format != "text" && format != "json") {
    return fail(ErrorCode::kInvalidArgument, cat("--log-format ", format, ": is not text or json"));
  }
  log.set_debug(globals.flag("debug"));
  return log.open(globals.value("log"), format == "json" ? CliLog::Format::kJson : CliLog::Format::kText);
}

Result<RuntimeOptions> runtime_options(const Face& face, const Arguments& globals, const CliLog& log) {
  RuntimeOptions options;
  options.root = globals.given("root") ? globals.value("root") : default_root(face.program);
  if (options.root.empty()) return fail(ErrorCode::kInvalidArgument, "--root: is empty");
  options.cgroup_manager = TRY(cgroup_manager(globals));
  options.warn = [&log](std::string_view message) { log.warning(message); };
  const std::string rootless = globals.value("rootless");
  if (!rootless.empty() && rootless != "auto" && rootless != "true" && rootless != "false") {
    return fail(ErrorCode::kInvalidArgument, cat("--rootless ", rootless, ": is not auto, true or false"));
  }
  return options;
}

Result<int> run_words(const Face& face, CliLog& log, const std::vector<std::string>& words) {
  const Arguments globals = TRY(parse_arguments(kGlobals, words));
  if (globals.flag("version")) {
    TRY(print(cat(face.program, " version ", SKERRY_VERSION, "\nspec: ", kSpecVersion, "\n", face.features, "\n")));
    return 0;
  }
  if (globals.flag("help") || globals.positional.empty()) {
    TRY(print(usage(face)));
    return globals.flag("help") ? 0 : 1;
  }
  TRY(open_log(log, globals));
  const Command* command = find_command(globals.positional.front());
  if (command == nullptr) {
    return fail(ErrorCode::kInvalidArgument, cat("unknown command \"", globals.positional.front().substr(0, 64), "\""));
  }
  const std::span rest(globals.positional.begin() + 1, globals.positional.end());
  // Asked before the other options are judged: `checkpoint --help` is how clients find out what a runtime can do.
  if (!rest.empty() && (rest.front() == "--help" || rest.front() == "-h")) {
    TRY(print(usage_of(face, *command)));
    return 0;
  }
  const Arguments arguments = TRY_IN(command->name, parse_arguments(command->options, rest));
  const auto runtime = face.make_runtime(TRY(runtime_options(face, globals, log)));
  return command->run(*runtime, arguments);
}

int exit_code(const Error& error) {
  if (error.code == ErrorCode::kCommandNotFound) return 127;
  return error.code == ErrorCode::kNotExecutable ? 126 : 1;
}

}  // namespace

Result<std::string> only_id(const Arguments& arguments) {
  if (arguments.positional.size() != 1) {
    return fail(ErrorCode::kInvalidArgument,
                cat("exactly one argument is expected, the container id; there are ", arguments.positional.size()));
  }
  return arguments.positional.front();
}

Status print(std::string_view text) { return annotate(sys::write_all(STDOUT_FILENO, text), "standard output"); }

int run_command_line(const Face& face, const std::vector<std::string>& words) {
  CliLog log;
  const auto done = or_out_of_memory([&] { return run_words(face, log, words); });
  if (done) return *done;
  log.error(done.error().message());
  return exit_code(done.error());
}

}  // namespace skerry::oci
