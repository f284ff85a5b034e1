#include "keeper/options.h"

#include <algorithm>
#include <functional>
#include <map>

#include "base/text.h"

namespace skerry::keeper {
namespace {

using Setter = std::function<Status(std::string_view value)>;
// A flag with a value, or (set by the name alone) without.
struct Flag {
  Setter set;
  bool takes_value = true;
};
using Flags = std::map<std::string, Flag, std::less<>>;

Setter text_into(std::string& target) {
  return [&target](std::string_view value) -> Status {
    target = value;
    return {};
  };
}

template <typename T>
Setter number_into(T& target, std::string_view flag, T lowest) {
  return [&target, flag, lowest](std::string_view value) -> Status {
    target = TRY(parse_int<T>(value, flag));
    if (target < lowest) return fail(ErrorCode::kInvalidArgument, cat(flag, " must be at least ", lowest));
    return {};
  };
}

Status check_inherited(int fd, std::string_view flag) {
  if (fd < 3) return fail(ErrorCode::kInvalidArgument, cat(flag, ": descriptors start at 3"));
  return {};
}

Result<ChannelMode> parse_mode(std::string_view text) {
  if (text == "framed") return ChannelMode::kFramed;
  if (text == "raw") return ChannelMode::kRaw;
  if (text == "console") return ChannelMode::kConsole;
  return fail(ErrorCode::kInvalidArgument, cat("--channel: \"", text, "\" is not framed, raw or console"));
}

// NAME:FD:MODE
Status add_channel(std::vector<KeeperChannel>& channels, std::string_view text) {
  const auto parts = split(text, ':');
  if (parts.size() != 3) return fail(ErrorCode::kInvalidArgument, "--channel: NAME:FD:MODE expected");
  KeeperChannel channel;
  channel.name = parts[0];
  if (!is_dns_label(channel.name) || channel.name == "attach") {
    return fail(ErrorCode::kInvalidArgument, cat("--channel: \"", channel.name, "\" is not a possible name"));
  }
  channel.child_fd = TRY(parse_int<int>(parts[1], "--channel"));
  TRY(check_inherited(channel.child_fd, "--channel"));
  channel.mode = TRY(parse_mode(parts[2]));
  channels.push_back(std::move(channel));
  return {};
}

// PID:START:NAME
Status set_companion(std::optional<KeeperCompanion>& target, std::string_view text) {
  const auto first = text.find(':');
  const auto second = first == std::string_view::npos ? first : text.find(':', first + 1);
  if (second == std::string_view::npos) {
    return fail(ErrorCode::kInvalidArgument, "--companion: PID:START:NAME expected");
  }
  KeeperCompanion companion;
  companion.pid = TRY(parse_int<pid_t>(text.substr(0, first), "--companion"));
  companion.start = TRY(parse_int<std::uint64_t>(text.substr(first + 1, second - first - 1), "--companion"));
  companion.name = text.substr(second + 1);
  if (companion.pid <= 0 || companion.name.empty()) {
    return fail(ErrorCode::kInvalidArgument, "--companion: a process and its name");
  }
  target = std::move(companion);
  return {};
}

Setter terminal_size_into(TerminalSize& target) {
  return [&target](std::string_view value) -> Status {
    const auto parts = split(value, 'x');
    if (parts.size() != 2) return fail(ErrorCode::kInvalidArgument, "--tty-size: COLUMNSxROWS expected");
    target.columns = TRY(parse_int<std::uint16_t>(parts[0], "--tty-size"));
    target.rows = TRY(parse_int<std::uint16_t>(parts[1], "--tty-size"));
    return {};
  };
}

Setter switch_on(bool& target) {
  return [&target](std::string_view) -> Status {
    target = true;
    return {};
  };
}

Setter append_to(std::vector<std::string>& target) {
  return [&target](std::string_view value) -> Status {
    target.emplace_back(value);
    return {};
  };
}

// "--flag value" and "--flag=value".
Status parse_flags(const std::vector<std::string>& args, std::size_t at, const Flags& flags) {
  for (; at < args.size(); ++at) {
    const std::string_view arg = args[at];
    const auto equals = arg.find('=');
    const auto found = flags.find(arg.substr(0, equals));
    if (found == flags.end()) return fail(ErrorCode::kInvalidArgument, cat("unknown argument \"", arg, "\""));
    const Flag& flag = found->second;
    if (!flag.takes_value) {
      TRY(flag.set({}));
    } else if (equals != std::string_view::npos) {
      TRY(flag.set(arg.substr(equals + 1)));
    } else if (at + 1 < args.size()) {
      TRY(flag.set(args[++at]));
    } else {
      return fail(ErrorCode::kInvalidArgument, cat(arg, " needs a value"));
    }
  }
  return {};
}

Status require(bool given, std::string_view flag) {
  if (!given) return fail(ErrorCode::kInvalidArgument, cat(flag, " is missing"));
  return {};
}

Status check_descriptors(const KeeperRunSpec& spec) {
  std::vector<int> numbers = spec.preserve_fds;
  numbers.insert(numbers.end(), spec.runtime_fds.begin(), spec.runtime_fds.end());
  for (const auto& channel : spec.channels) numbers.push_back(channel.child_fd);
  std::ranges::sort(numbers);
  if (std::ranges::adjacent_find(numbers) != numbers.end()) {
    return fail(ErrorCode::kInvalidArgument, "two descriptors of the process have the same number");
  }
  if (spec.root_fd >= 0 && std::ranges::find(spec.runtime_fds, spec.root_fd) == spec.runtime_fds.end()) {
    return fail(ErrorCode::kInvalidArgument, "--root-fd: is none of --runtime-fd");
  }
  const auto framed = [](const KeeperChannel& channel) { return channel.mode == ChannelMode::kFramed; };
  if (std::ranges::count_if(spec.channels, framed) > 1) {
    return fail(ErrorCode::kInvalidArgument, "only one channel can be framed");
  }
  if (!spec.guest_socket.empty() && std::ranges::none_of(spec.channels, framed)) {
    return fail(ErrorCode::kInvalidArgument, "--guest-socket is for a framed channel");
  }
  return {};
}

Result<KeeperRunSpec> parse_run(const std::vector<std::string>& args) {
  KeeperRunSpec spec;
  const Flags flags{
      {"--dir", {text_into(spec.run_dir)}},
      {"--log", {text_into(spec.log_path)}},
      {"--log-max-bytes", {number_into<std::uint64_t>(spec.log_max_bytes, "--log-max-bytes", 4096)}},
      {"--log-files", {number_into<int>(spec.log_files, "--log-files", 1)}},
      {"--tty", {switch_on(spec.terminal), false}},
      {"--tty-size", {terminal_size_into(spec.terminal_size)}},
      {"--stdin", {[&spec](std::string_view value) -> Status {
         if (value != "open" && value != "null") return fail(ErrorCode::kInvalidArgument, "--stdin: open or null");
         spec.stdin_mode = value == "open" ? StdinMode::kOpen : StdinMode::kNull;
         return {};
       }}},
      {"--channel", {[&spec](std::string_view value) { return add_channel(spec.channels, value); }}},
      {"--guest-socket", {text_into(spec.guest_socket)}},
      {"--companion", {[&spec](std::string_view value) { return set_companion(spec.companion, value); }}},
      {"--preserve-fd", {[&spec](std::string_view value) -> Status {
         spec.preserve_fds.push_back(TRY(parse_int<int>(value, "--preserve-fd")));
         return check_inherited(spec.preserve_fds.back(), "--preserve-fd");
       }}},
      {"--runtime-fd", {[&spec](std::string_view value) -> Status {
         spec.runtime_fds.push_back(TRY(parse_int<int>(value, "--runtime-fd")));
         return check_inherited(spec.runtime_fds.back(), "--runtime-fd");
       }}},
      {"--root-fd", {number_into<int>(spec.root_fd, "--root-fd", 3)}},
      {"--start", {switch_on(spec.start), false}},
      {"--attach-fd", {number_into<int>(spec.attach_fd, "--attach-fd", 0)}},
      {"--oom-file", {text_into(spec.oom_file)}},
      {"--sync-fd", {number_into<int>(spec.sync_fd, "--sync-fd", 0)}},
      {"--runtime", {text_into(spec.runtime)}},
      {"--runtime-arg", {append_to(spec.runtime_args)}},
      {"--bundle", {text_into(spec.bundle)}},
      {"--id", {text_into(spec.id)}},
  };
  TRY(parse_flags(args, 1, flags));
  TRY(require(!spec.run_dir.empty(), "--dir"));
  TRY(require(!spec.log_path.empty(), "--log"));
  TRY(require(!spec.runtime.empty(), "--runtime"));
  TRY(require(!spec.bundle.empty(), "--bundle"));
  TRY(require(!spec.id.empty(), "--id"));
  TRY(check_descriptors(spec));
  return spec;
}

Result<KeeperExecSpec> parse_exec(const std::vector<std::string>& args) {
  KeeperExecSpec spec;
  const Flags flags{
      {"--socket-fd", {number_into<int>(spec.socket_fd, "--socket-fd", 0)}},
      {"--program-fd", {number_into<int>(spec.program_fd, "--program-fd", 0)}},
      {"--tty", {switch_on(spec.terminal), false}},
      {"--tty-size", {terminal_size_into(spec.terminal_size)}},
      {"--runtime", {text_into(spec.runtime)}},
      {"--runtime-arg", {append_to(spec.runtime_args)}},
      {"--process", {text_into(spec.process_file)}},
      {"--id", {text_into(spec.id)}},
  };
  TRY(parse_flags(args, 1, flags));
  TRY(require(spec.socket_fd >= 0, "--socket-fd"));
  TRY(require(!spec.runtime.empty(), "--runtime"));
  TRY(require(!spec.process_file.empty(), "--process"));
  TRY(require(!spec.id.empty(), "--id"));
  return spec;
}

}  // namespace

Result<Invocation> parse_options(const std::vector<std::string>& args) {
  if (args.empty()) return fail(ErrorCode::kInvalidArgument, "\"run\", \"exec\" or \"--version\" expected");
  if (args[0] == "run") return TRY(parse_run(args));
  if (args[0] == "exec") return TRY(parse_exec(args));
  if (args[0] == "--version") return ShowVersion{};
  return fail(ErrorCode::kInvalidArgument, cat("unknown command \"", args[0], "\""));
}

}  // namespace skerry::keeper
