// state, list, ps, events, features, spec.
#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/process.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "oci/cli_commands.h"
#include "wire/oci_spec_defaults.h"

namespace skerry::oci {
namespace {

constexpr auto kFlag = Option::Kind::kFlag;
constexpr auto kValue = Option::Kind::kValue;

Result<int> state(Runtime& runtime, const Arguments& arguments) {
  const auto view = TRY(runtime.state(TRY(only_id(arguments))));
  TRY(print(state_document(view.record, view.status) + "\n"));
  return 0;
}

Result<std::string> format_of(const Arguments& arguments) {
  const std::string format = arguments.given("format") ? arguments.value("format") : "table";
  if (format == "table" || format == "json") return format;
  return fail(ErrorCode::kInvalidArgument, cat("--format ", format, ": is not table or json"));
}

// The login name, from /etc/passwd alone: a static program must not load name service modules.
std::string owner_name(std::uint32_t uid) {
  const Fd file(::open("/etc/passwd", O_RDONLY | O_CLOEXEC));
  const auto text = file ? sys::read_to_end(file.get(), 1U << 20U) : Result<std::string>(std::string());
  if (!text) return cat(uid);
  for (const auto line : split(*text, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() > 2 && fields[2] == cat(uid)) return std::string(fields[0]);
  }
  return cat(uid);
}

using Row = std::vector<std::string>;

// Columns as wide as their widest cell.
std::string table(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      out.append(i + 1 < row.size() ? widths[i] - row[i].size() + 2 : 0, ' ');
    }
    out += '\n';
  }
  return out;
}

constexpr std::array kListOptions = {Option{"format", 'f', kValue, "table or json"},
                                     Option{"quiet", 'q', kFlag, "ids only"}};

Result<int> list(Runtime& runtime, const Arguments& arguments) {
  const std::string format = TRY(format_of(arguments));
  const auto views = TRY(runtime.list());
  if (arguments.flag("quiet")) {
    std::string ids;
    for (const auto& view : views) ids += view.record.id + "\n";
    TRY(print(ids));
    return 0;
  }
  if (format == "json") {
    std::vector<ListedContainer> listed;
    for (const auto& view : views) listed.push_back({view.record, view.status, owner_name(view.record.owner_uid)});
    TRY(print(list_document(listed) + "\n"));
    return 0;
  }
  std::vector<Row> rows = {{"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}};
  for (const auto& view : views) {
    const bool stopped = view.status == ContainerStatus::kStopped;
    rows.push_back({view.record.id, stopped ? "0" : cat(view.record.pid), std::string(status_name(view.status)),
                    view.record.bundle, view.record.created, owner_name(view.record.owner_uid)});
  }
  TRY(print(table(rows)));
  return 0;
}

constexpr std::array kPsOptions = {Option{"format", 'f', kValue, "table or json"}};

// The rows of ps(1) whose PID column is one of ours.
Result<std::string> ps_table(const std::vector<int>& pids, const std::vector<std::string>& ps_args) {
  SpawnSpec spec;
  spec.argv = {"ps"};
  if (ps_args.empty()) spec.argv.emplace_back("-ef");
  spec.argv.insert(spec.argv.end(), ps_args.begin(), ps_args.end());
  const auto output = TRY_IN("ps", run_command(spec, std::chrono::seconds(10), 16U << 20U));
  if (!output.status.success()) return fail(ErrorCode::kInvalidArgument, cat("ps: ", trim(output.err)));
  const auto words = [](std::string_view line) {
    std::vector<std::string_view> out;
    for (const auto word : split(line, ' ')) {
      if (!word.empty()) out.push_back(word);
    }
    return out;
  };
  const auto lines = split(output.out, '\n');
  const auto header = words(lines.front());
  const auto column = static_cast<std::size_t>(std::ranges::find(header, "PID") - header.begin());
  if (column == header.size()) return fail(ErrorCode::kInvalidArgument, "ps: its output has no PID column");
  std::string out = cat(lines.front(), "\n");
  for (const auto line : std::span(lines).subspan(1)) {
    const auto fields = words(line);
    if (column >= fields.size()) continue;
    const auto pid = parse_int<int>(fields[column], "pid");
    if (pid && std::ranges::binary_search(pids, *pid)) out += cat(line, "\n");
  }
  return out;
}

Result<int> ps(Runtime& runtime, const Arguments& arguments) {
  if (arguments.positional.empty()) return fail(ErrorCode::kInvalidArgument, "a container id is expected");
  const std::string format = TRY(format_of(arguments));
  const auto pids = TRY(runtime.processes(arguments.positional.front()));
  if (format == "json") {
    TRY(print(pids_document(pids) + "\n"));
    return 0;
  }
  TRY(print(TRY(ps_table(pids, {arguments.positional.begin() + 1, arguments.positional.end()}))));
  return 0;
}

constexpr std::array kEventsOptions = {Option{"stats", 0, kFlag, "print the numbers once"},
                                       Option{"interval", 0, kValue, "seconds, or a duration such as 5s"}};

// "5", "5s", "500ms", "1m" in milliseconds.
Result<int> parse_interval(std::string text) {
  int unit = 1000;
  if (text.ends_with("ms")) {
    unit = 1;
    text.resize(text.size() - 2);
  } else if (text.ends_with("s") || text.ends_with("m")) {
    unit = text.ends_with("m") ? 60000 : 1000;
    text.pop_back();
  }
  const int value = TRY(parse_int<int>(text, "--interval"));
  if (value <= 0 || value > 86400) return fail(ErrorCode::kInvalidArgument, "--interval: must be above zero");
  return value * unit;
}

Result<int> events(Runtime& runtime, const Arguments& arguments) {
  const std::string id = TRY(only_id(arguments));
  const int interval_ms = TRY(parse_interval(arguments.given("interval") ? arguments.value("interval") : "5s"));
  const auto take = [](const std::string& document) { return print(document + "\n"); };
  if (arguments.flag("stats")) {
    TRY(take(TRY(runtime.statistics(id))));
  } else {
    TRY(runtime.watch(id, std::chrono::milliseconds(interval_ms), take));
  }
  return 0;
}

Result<int> features(Runtime& runtime, const Arguments& arguments) {
  if (!arguments.positional.empty()) return fail(ErrorCode::kInvalidArgument, "features takes no argument");
  TRY(print(TRY(runtime.features()) + "\n"));
  return 0;
}

constexpr std::array kSpecOptions = {Option{"rootless", 0, kFlag, "for a container of an ordinary user"},
                                     Option{"bundle", 'b', kValue, "write config.json there instead of printing it"}};

Result<int> spec(Runtime& /*runtime*/, const Arguments& arguments) {
  if (!arguments.positional.empty()) return fail(ErrorCode::kInvalidArgument, "spec takes no argument");
  const Spec value = arguments.flag("rootless") ? default_rootless_spec(::geteuid(), ::getegid()) : default_spec();
  const std::string text = to_json(value) + "\n";
  if (!arguments.given("bundle")) {
    TRY(print(text));
    return 0;
  }
  const Fd file = TRY(sys::open(arguments.value("bundle") + "/config.json", O_WRONLY | O_CREAT | O_EXCL, 0644));
  TRY(sys::write_all(file.get(), text));
  return 0;
}

constexpr std::array kCommands = {
    Command{"state", "ID", "print the state of a container", {}, state},
    Command{"list", "", "list the containers", kListOptions, list},
    Command{"ps", "ID [PS-OPTION…]", "list the processes of a container", kPsOptions, ps},
    Command{"events", "ID", "print what a container uses, and when its memory was used up", kEventsOptions, events},
    Command{"features", "", "print what this runtime can do", {}, features},
    Command{"spec", "", "print a configuration to start from", kSpecOptions, spec},
};

}  // namespace

std::span<const Command> inspection_commands() { return kCommands; }

}  // namespace skerry::oci
