#include "base/keeper_protocol.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry {
namespace {

// The value of `key` in lines of key=value; nullopt when it is not there.
std::optional<std::string_view> find_value(std::string_view text, std::string_view key) {
  for (const auto line : split(text, '\n')) {
    const auto equals = line.find('=');
    if (equals != std::string_view::npos && line.substr(0, equals) == key) return line.substr(equals + 1);
  }
  return std::nullopt;
}

template <typename T>
Result<T> number(std::string_view text, std::string_view key) {
  const auto value = find_value(text, key);
  if (!value) return fail(ErrorCode::kCorrupt, cat("no \"", key, "\""));
  return parse_int<T>(*value, key);
}

template <typename T>
Result<std::optional<T>> optional_number(std::string_view text, std::string_view key) {
  const auto value = find_value(text, key);
  if (!value) return std::nullopt;
  return TRY(parse_int<T>(*value, key));
}

std::string one_line(std::string_view text) {
  std::string out(text.substr(0, 4096));
  for (char& c : out) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return out;
}

std::string_view mode_name(ChannelMode mode) {
  switch (mode) {
    case ChannelMode::kFramed: return "framed";
    case ChannelMode::kRaw: return "raw";
    case ChannelMode::kConsole: return "console";
  }
  return "raw";
}

void add_runtime(std::vector<std::string>& out, const std::string& runtime, const std::vector<std::string>& args) {
  out.insert(out.end(), {"--runtime", runtime});
  for (const auto& arg : args) out.insert(out.end(), {"--runtime-arg", arg});
}

void add_terminal(std::vector<std::string>& out, bool terminal, TerminalSize size) {
  if (terminal) out.insert(out.end(), {"--tty", "--tty-size", cat(size.columns, "x", size.rows)});
}

constexpr std::array kAllCodes{ErrorCode::kInvalidArgument,   ErrorCode::kNotFound,        ErrorCode::kAlreadyExists,
                               ErrorCode::kConflict,          ErrorCode::kRefused,         ErrorCode::kPermissionDenied,
                               ErrorCode::kResourceExhausted, ErrorCode::kUnavailable,     ErrorCode::kDeadlineExceeded,
                               ErrorCode::kCorrupt,           ErrorCode::kUnsupported,     ErrorCode::kCancelled,
                               ErrorCode::kNotExecutable,     ErrorCode::kCommandNotFound, ErrorCode::kIo,
                               ErrorCode::kInternal};

ErrorCode code_by_name(std::string_view name) {
  for (const auto code : kAllCodes) {
    if (error_code_name(code) == name) return code;
  }
  return ErrorCode::kInternal;
}

}  // namespace

std::vector<std::string> keeper_arguments(const KeeperRunSpec& spec) {
  std::vector<std::string> out{"run", "--dir", spec.run_dir, "--log", spec.log_path};
  out.insert(out.end(), {"--log-max-bytes", cat(spec.log_max_bytes), "--log-files", cat(spec.log_files)});
  add_terminal(out, spec.terminal, spec.terminal_size);
  out.insert(out.end(), {"--stdin", spec.stdin_mode == StdinMode::kOpen ? "open" : "null"});
  for (const auto& channel : spec.channels) {
    out.insert(out.end(), {"--channel", cat(channel.name, ":", channel.child_fd, ":", mode_name(channel.mode))});
  }
  if (!spec.guest_socket.empty()) out.insert(out.end(), {"--guest-socket", spec.guest_socket});
  if (spec.companion) {
    out.insert(out.end(),
               {"--companion", cat(spec.companion->pid, ":", spec.companion->start, ":", spec.companion->name)});
  }
  for (const int fd : spec.preserve_fds) out.insert(out.end(), {"--preserve-fd", cat(fd)});
  for (const int fd : spec.runtime_fds) out.insert(out.end(), {"--runtime-fd", cat(fd)});
  if (spec.root_fd >= 0) out.insert(out.end(), {"--root-fd", cat(spec.root_fd)});
  if (spec.start) out.emplace_back("--start");
  if (spec.attach_fd >= 0) out.insert(out.end(), {"--attach-fd", cat(spec.attach_fd)});
  if (!spec.oom_file.empty()) out.insert(out.end(), {"--oom-file", spec.oom_file});
  if (spec.sync_fd >= 0) out.insert(out.end(), {"--sync-fd", cat(spec.sync_fd)});
  add_runtime(out, spec.runtime, spec.runtime_args);
  out.insert(out.end(), {"--bundle", spec.bundle, "--id", spec.id});
  return out;
}

std::vector<std::string> keeper_arguments(const KeeperExecSpec& spec) {
  std::vector<std::string> out{"exec", "--socket-fd", cat(spec.socket_fd)};
  if (spec.program_fd >= 0) out.insert(out.end(), {"--program-fd", cat(spec.program_fd)});
  add_terminal(out, spec.terminal, spec.terminal_size);
  add_runtime(out, spec.runtime, spec.runtime_args);
  out.insert(out.end(), {"--process", spec.process_file, "--id", spec.id});
  return out;
}

std::string encode_pids(const KeeperPids& pids) {
  return cat("main_pid=", pids.main, "\nmain_start=", pids.main_start, "\nkeeper_pid=", pids.keeper,
             "\nkeeper_start=", pids.keeper_start, "\nboot_id=", pids.boot_id, "\n");
}

Result<KeeperPids> decode_pids(std::string_view text) {
  KeeperPids pids;
  pids.main = TRY(number<pid_t>(text, "main_pid"));
  pids.main_start = TRY(number<std::uint64_t>(text, "main_start"));
  pids.keeper = TRY(number<pid_t>(text, "keeper_pid"));
  pids.keeper_start = TRY(number<std::uint64_t>(text, "keeper_start"));
  pids.boot_id = std::string(find_value(text, "boot_id").value_or(""));
  return pids;
}

Result<KeeperPids> read_keeper_pids(const std::string& run_dir) {
  const std::string path = KeeperPaths{run_dir}.pid();
  const std::string text = TRY(read_file(path));
  auto pids = TRY_IN(path, decode_pids(text));
  const std::string boot_id = TRY(read_file("/proc/sys/kernel/random/boot_id"));
  if (pids.boot_id != trim(boot_id)) {
    return fail(ErrorCode::kNotFound, cat(path, " is of an earlier boot"));
  }
  return pids;
}

std::string encode_exit(const KeeperExit& exit) {
  std::string out;
  if (exit.status.code) out += cat("code=", *exit.status.code, "\n");
  if (exit.status.signal) out += cat("signal=", *exit.status.signal, "\n");
  if (exit.workload_code) out += cat("workload_code=", *exit.workload_code, "\n");
  out += cat("ended_ns=", exit.ended.ns, "\n");
  if (exit.oom_killed) out += cat("oom_killed=", *exit.oom_killed ? 1 : 0, "\n");
  if (!exit.note.empty()) out += cat("note=", one_line(exit.note), "\n");
  return out;
}

Result<KeeperExit> decode_exit(std::string_view text) {
  KeeperExit exit;
  exit.status.code = TRY(optional_number<int>(text, "code"));
  exit.status.signal = TRY(optional_number<int>(text, "signal"));
  if (exit.status.code.has_value() == exit.status.signal.has_value()) {
    return fail(ErrorCode::kCorrupt, "neither or both of \"code\" and \"signal\"");
  }
  exit.workload_code = TRY(optional_number<int>(text, "workload_code"));
  exit.ended.ns = TRY(number<std::int64_t>(text, "ended_ns"));
  const auto oom = TRY(optional_number<int>(text, "oom_killed"));
  if (oom) exit.oom_killed = *oom != 0;
  exit.note = one_line(find_value(text, "note").value_or(""));
  return exit;
}

Result<KeeperExit> read_keeper_exit(const std::string& run_dir) {
  const std::string path = KeeperPaths{run_dir}.exit();
  return annotate(decode_exit(TRY(read_file(path))), path);
}

std::string encode_report(const Result<pid_t>& main_pid) {
  if (main_pid) return cat("ready ", *main_pid, "\n");
  return cat("error ", error_code_name(main_pid.error().code), " ", one_line(main_pid.error().message()), "\n");
}

Result<pid_t> decode_report(std::string_view line) {
  line = trim(line);
  if (line.starts_with("ready ")) return parse_int<pid_t>(line.substr(6), "keeper's report");
  if (!line.starts_with("error ")) return fail(ErrorCode::kCorrupt, cat("keeper's report \"", line, "\""));
  line.remove_prefix(6);
  const auto space = std::min(line.find(' '), line.size());
  return fail(code_by_name(line.substr(0, space)), std::string(trim(line.substr(space))));
}

Result<pid_t> await_report(int sync_fd, Duration timeout) {
  const SystemClock clock;
  const MonoTime deadline = clock.monotonic() + timeout;
  std::string line;
  while (!line.ends_with('\n')) {
    const auto left_ms = (deadline - clock.monotonic()).count() / 1'000'000;
    if (left_ms <= 0) return fail(ErrorCode::kDeadlineExceeded, "the keeper did not report in time");
    pollfd poll_fd{sync_fd, POLLIN, 0};
    const int ready = ::poll(&poll_fd, 1, static_cast<int>(std::min<std::int64_t>(left_ms, 1'000'000)));
    if (ready < 0 && errno != EINTR) return fail_errno("poll keeper's report");
    if (ready <= 0) continue;
    std::array<char, 4096> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
    const auto got = TRY(sys::read(sync_fd, buffer.data(), buffer.size()));
    if (got == 0) return fail(ErrorCode::kUnavailable, "the keeper ended without a report");
    line.append(buffer.data(), got);
    if (line.size() > 16384) return fail(ErrorCode::kCorrupt, "the keeper's report is too long");
  }
  return decode_report(line);
}

}  // namespace skerry
