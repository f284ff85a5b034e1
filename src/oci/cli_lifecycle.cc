// create, start, run, exec, kill, delete.
#include <array>

#include "base/file_io.h"
#include "base/text.h"
#include "oci/cli_commands.h"
#include "oci/signal_names.h"

namespace skerry::oci {
namespace {

constexpr auto kFlag = Option::Kind::kFlag;
constexpr auto kValue = Option::Kind::kValue;

constexpr std::array kCreateOptions = {
    Option{"bundle", 'b', kValue, "directory of the bundle (default: the current one)"},
    Option{"config", 'f', kValue, "configuration file (default: config.json of the bundle)"},
    Option{"pid-file", 0, kValue, "file that gets the pid of the container's first process"},
    Option{"console-socket", 0, kValue, "unix socket that gets the terminal's master end"},
    Option{"preserve-fds", 0, kValue, "number of descriptors, from 3 on, that the program keeps"},
    Option{"root-fd", 0, kValue, "descriptor of a detached mount that is put over root.path, for the container only"},
    Option{"no-pivot", 0, kFlag, "move the root mount instead of pivot_root (root on a ramdisk)"},
    Option{"no-new-keyring", 0, kFlag, "keep the session keyring"},
    Option{"no-subreaper", 0, kFlag, "accepted; the runtime never is one"},
};
constexpr auto kRunOptions =
    join_options(kCreateOptions, std::array{Option{"detach", 'd', kFlag, "do not wait for its end"},
                                            Option{"keep", 0, kFlag, "do not delete the container when it has ended"}});

Result<CreateRequest> create_request(const Arguments& arguments) {
  CreateRequest request;
  request.id = TRY(only_id(arguments));
  if (arguments.given("bundle")) request.bundle = arguments.value("bundle");
  request.config = arguments.value("config");
  request.pid_file = arguments.value("pid-file");
  request.console_socket = arguments.value("console-socket");
  constexpr unsigned kMostFds = 65536;
  request.preserve_fds = TRY(arguments.number<unsigned>("preserve-fds", 0));
  if (request.preserve_fds > kMostFds) return fail(ErrorCode::kInvalidArgument, "--preserve-fds: is too large");
  if (arguments.given("root-fd")) request.root_fd = TRY(arguments.number<int>("root-fd", -1));
  if (arguments.given("root-fd") && request.root_fd < static_cast<int>(request.preserve_fds) + 3) {
    return fail(ErrorCode::kInvalidArgument,
                "--root-fd: must be none of the standard ones and of those of --preserve-fds");
  }
  request.no_pivot = arguments.flag("no-pivot");
  request.no_new_keyring = arguments.flag("no-new-keyring");
  return request;
}

Result<int> create(Runtime& runtime, const Arguments& arguments) {
  TRY(runtime.create(TRY(create_request(arguments))));
  return 0;
}

Result<int> start(Runtime& runtime, const Arguments& arguments) {
  TRY(runtime.start(TRY(only_id(arguments))));
  return 0;
}

Result<int> run(Runtime& runtime, const Arguments& arguments) {
  return runtime.run({TRY(create_request(arguments)), arguments.flag("detach"), arguments.flag("keep")});
}

constexpr std::array kExecOptions = {
    Option{"process", 'p', kValue, "file with the whole process as JSON"},
    Option{"detach", 'd', kFlag, "do not wait for its end"},
    Option{"pid-file", 0, kValue, "file that gets the pid"},
    Option{"tty", 't', kFlag, "give it a terminal"},
    Option{"console-socket", 0, kValue, "unix socket that gets the terminal's master end"},
    Option{"user", 'u', kValue, "UID[:GID], numbers only"},
    Option{"additional-gids", 'g', kValue, "a further group (may be repeated)"},
    Option{"cwd", 0, kValue, "working directory"},
    Option{"env", 'e', kValue, "NAME=value (may be repeated)"},
    Option{"cap", 'c', kValue, "a further capability (may be repeated)"},
    Option{"no-new-privs", 0, kFlag, "set no_new_privs"},
    Option{"apparmor", 0, kValue, "AppArmor profile"},
    Option{"process-label", 0, kValue, "SELinux label"},
    Option{"cgroup", 0, kValue, "a group below the container's"},
    Option{"preserve-fds", 0, kValue, "number of descriptors, from 3 on, that the program keeps"},
    Option{"ignore-paused", 0, kFlag, "accepted; a paused container is refused all the same"},
    Option{"no-subreaper", 0, kFlag, "accepted; the runtime never is one"},
};

// "1000" or "1000:100". Names would need the container's own passwd file, whose owner is not us: numbers only
// (CVE-2026-30892 came from reading this loosely).
Result<User> parse_user(const std::string& text) {
  User user;
  const auto colon = text.find(':');
  user.uid = TRY(parse_int<std::uint32_t>(text.substr(0, colon), "--user"));
  if (colon != std::string::npos) user.gid = TRY(parse_int<std::uint32_t>(text.substr(colon + 1), "--user group"));
  return user;
}

Result<ExecRequest> exec_request(const Arguments& arguments) {
  ExecRequest request;
  if (arguments.positional.empty()) return fail(ErrorCode::kInvalidArgument, "a container id is expected");
  request.id = arguments.positional.front();
  request.args.assign(arguments.positional.begin() + 1, arguments.positional.end());
  if (arguments.given("process")) {
    const std::string file = arguments.value("process");
    request.process = TRY_IN(file, parse_process(TRY(read_file(file, kMaxConfigBytes))));
    if (arguments.flag("tty")) request.process->terminal = true;
  }
  request.env = arguments.values("env");
  for (const auto& entry : request.env) {
    if (entry.find('=') == std::string::npos || entry.front() == '=') {
      return fail(ErrorCode::kInvalidArgument, cat("--env ", entry.substr(0, 64), ": is not NAME=value"));
    }
  }
  request.capabilities = arguments.values("cap");
  if (arguments.given("cwd")) request.cwd = arguments.value("cwd");
  if (request.cwd && !request.cwd->starts_with('/'))
    return fail(ErrorCode::kInvalidArgument, "--cwd: must be absolute");
  if (arguments.given("user")) request.user = TRY(parse_user(arguments.value("user")));
  for (const auto& gid : arguments.values("additional-gids")) {
    request.additional_gids.push_back(TRY(parse_int<std::uint32_t>(gid, "--additional-gids")));
  }
  if (arguments.given("no-new-privs")) request.no_new_privileges = arguments.flag("no-new-privs");
  request.apparmor_profile = arguments.value("apparmor");
  request.process_label = arguments.value("process-label");
  request.tty = arguments.flag("tty");
  request.detach = arguments.flag("detach");
  request.pid_file = arguments.value("pid-file");
  request.console_socket = arguments.value("console-socket");
  request.cgroup = arguments.value("cgroup");
  request.preserve_fds = TRY(arguments.number<unsigned>("preserve-fds", 0));
  return request;
}

Result<int> exec(Runtime& runtime, const Arguments& arguments) { return runtime.exec(TRY(exec_request(arguments))); }

constexpr std::array kKillOptions = {Option{"all", 'a', kFlag, "send it to every process of the container"}};

Result<int> kill(Runtime& runtime, const Arguments& arguments) {
  if (arguments.positional.empty() || arguments.positional.size() > 2) {
    return fail(ErrorCode::kInvalidArgument, "a container id and a signal are expected");
  }
  KillRequest request;
  request.id = arguments.positional[0];
  if (arguments.positional.size() == 2) request.signal_number = TRY(parse_signal(arguments.positional[1]));
  request.all = arguments.flag("all");
  TRY(runtime.kill(request));
  return 0;
}

constexpr std::array kDeleteOptions = {Option{"force", 'f', kFlag, "end it first, whatever state it is in"}};

Result<int> remove(Runtime& runtime, const Arguments& arguments) {
  const auto force = arguments.flag("force") ? Runtime::Force::kYes : Runtime::Force::kNo;
  TRY(runtime.remove(TRY(only_id(arguments)), force));
  return 0;
}

constexpr std::array kCommands = {
    Command{"create", "ID", "make a container that waits for its start", kCreateOptions, create},
    Command{"start", "ID", "start the program of a created container", {}, start},
    Command{"run", "ID", "create, start, wait and delete", kRunOptions, run},
    Command{"exec", "ID [COMMAND [ARGUMENT…]]", "run another program in a container", kExecOptions, exec},
    Command{"kill", "ID [SIGNAL]", "send a signal (default: TERM)", kKillOptions, kill},
    Command{"delete", "ID", "remove a stopped container", kDeleteOptions, remove},
};

}  // namespace

std::span<const Command> lifecycle_commands() { return kCommands; }

}  // namespace skerry::oci
