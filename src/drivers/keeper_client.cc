#include "drivers/keeper_client.h"

#include <dirent.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <memory>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry {
namespace {

// A keeper needs no variables of ours; secrets of the daemon's environment stay with it.
const std::vector<std::string>& keeper_environment() {
  static const std::vector<std::string> environment{
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  return environment;
}

}  // namespace

Result<pid_t> run_keeper(const std::string& program, KeeperRunSpec spec, const KeeperFds& given, Duration timeout) {
  auto fds = given.main;
  auto sync = TRY(sys::pipe());
  int highest = 2;
  for (const auto& fd : fds) {
    spec.preserve_fds.push_back(fd.target);
    highest = std::max(highest, fd.target);
  }
  for (const auto& fd : given.runtime) {
    spec.runtime_fds.push_back(fd.target);
    fds.push_back(fd);
    highest = std::max(highest, fd.target);
  }
  for (const auto& channel : spec.channels) highest = std::max(highest, channel.child_fd);
  spec.sync_fd = ++highest;
  fds.push_back({sync.write_end.get(), spec.sync_fd});
  if (given.client) {
    spec.attach_fd = ++highest;
    fds.push_back({given.client.get(), spec.attach_fd});
  }

  SpawnSpec spawn;
  spawn.argv = keeper_arguments(spec);
  spawn.argv.insert(spawn.argv.begin(), program);
  spawn.env = keeper_environment();
  spawn.fds = std::move(fds);
  // The process we start ends as soon as the keeper has left our session. Until then it goes with us: if we are killed
  // now, no keeper appears later that nobody could have found.
  spawn.parent_death_signal = SIGKILL;
  const auto output = TRY_IN("start keeper", run_command(spawn, timeout));
  sync.write_end.reset();
  if (!output.status.success()) {
    return fail(ErrorCode::kInternal, cat("keeper: ", output.status.describe(), ": ", trim(output.err)));
  }
  return await_report(sync.read_end.get(), timeout);
}

// ── who is there ──

namespace {

// A pidfd of the process if it still lives; an invalid one when it has ended.
Result<Fd> living(pid_t pid, std::uint64_t start_time) {
  auto process = open_same_process(pid, start_time);
  if (!process && process.error().code == ErrorCode::kNotFound) return Fd{};
  if (process && TRY(has_ended(process->get(), Duration::zero()))) return Fd{};
  return process;
}

// A record that a power failure damaged is as good as none: who is behind it is found in other ways, or gone.
template <typename T>
Result<std::optional<T>> unless_missing(Result<T> value) {
  if (value) return std::optional<T>(std::move(*value));
  const ErrorCode code = value.error().code;
  if (code == ErrorCode::kNotFound || code == ErrorCode::kCorrupt || code == ErrorCode::kInvalidArgument) {
    return std::nullopt;
  }
  return fail(std::move(value).error());
}

}  // namespace

Result<KeeperView> view_keeper(const std::string& run_dir) {
  KeeperView view;
  view.pids = TRY(unless_missing(read_keeper_pids(run_dir)));
  if (view.pids) {
    view.keeper = TRY(living(view.pids->keeper, view.pids->keeper_start));
    view.main = TRY(living(view.pids->main, view.pids->main_start));
  }
  // Last: a keeper that ended before we looked at it has written this before.
  view.exit = TRY(unless_missing(read_keeper_exit(run_dir)));
  return view;
}

// ── exec ──

namespace {

// Exactly `size` bytes, not one more: what follows belongs to the conversation.
Status receive_exactly(int socket, char* data, std::size_t size, MonoTime deadline) {
  const SystemClock clock;
  while (size > 0) {
    const auto left_ms = (deadline - clock.monotonic()).count() / 1'000'000;
    if (left_ms <= 0) return fail(ErrorCode::kDeadlineExceeded, "the exec keeper did not report in time");
    pollfd poll_fd{socket, POLLIN, 0};
    const int ready = ::poll(&poll_fd, 1, static_cast<int>(std::min<std::int64_t>(left_ms, 1'000'000)));
    if (ready < 0 && errno != EINTR) return fail_errno("poll exec keeper");
    if (ready <= 0) continue;
    const auto got = ::recv(socket, data, size, 0);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return fail_errno("receive from exec keeper");
    if (got == 0) return fail(ErrorCode::kUnavailable, "the exec keeper ended without a report");
    data += got;
    size -= static_cast<std::size_t>(got);
  }
  return {};
}

}  // namespace

Status await_exec_report(int socket, Duration timeout) {
  const MonoTime deadline = SystemClock().monotonic() + timeout;
  FrameParser parser;
  std::string bytes(kFrameHeaderSize, '\0');
  TRY(receive_exactly(socket, bytes.data(), bytes.size(), deadline));
  const std::uint32_t length = TRY(decode_u32(std::string_view(bytes).substr(0, 4)));
  if (length > kMaxFramePayload) return fail(ErrorCode::kCorrupt, "the exec keeper's report is too long");
  bytes.resize(kFrameHeaderSize + length);
  TRY(receive_exactly(socket, bytes.data() + kFrameHeaderSize, length, deadline));
  parser.feed(bytes);
  const auto frame = TRY(parser.next());
  if (!frame || frame->kind != FrameKind::kResponse) {
    return fail(ErrorCode::kCorrupt, "the exec keeper did not begin with its report");
  }
  TRY(decode_report(frame->payload));
  return {};
}

// ── strays ──

namespace {

bool serves_bundle(std::string_view cmdline, const std::string& bundle) {
  // Arguments end with NUL each (proc(5)).
  std::string needle("\0--bundle\0", 10);
  needle += bundle;
  needle += '\0';
  return cmdline.find(needle) != std::string_view::npos;
}

Result<std::vector<Fd>> find_strays(const std::string& bundle) {
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), &::closedir);
  if (!proc) return fail_errno("open /proc");
  std::vector<Fd> found;
  while (const dirent* entry = ::readdir(proc.get())) {
    const auto pid = parse_int<pid_t>(entry->d_name, "pid");
    if (!pid) continue;
    const auto start = process_start_time(*pid);
    const auto cmdline = read_file(cat("/proc/", *pid, "/cmdline"), 1U << 20U);
    if (!start || !cmdline || !serves_bundle(*cmdline, bundle)) continue;
    if (auto process = open_same_process(*pid, *start)) found.push_back(std::move(*process));
  }
  return found;
}

}  // namespace

Status kill_strays(const std::string& bundle, Duration timeout) {
  const SystemClock clock;
  const MonoTime deadline = clock.monotonic() + timeout;
  // Again until there is none: one may have forked while we read.
  while (true) {
    bool any = false;
    for (const auto& process : TRY(find_strays(bundle))) {
      if (TRY(has_ended(process.get(), Duration::zero()))) continue;  // a zombie, its parent's business
      any = true;
      TRY(send_signal(process.get(), SIGKILL));
      TRY(has_ended(process.get(), std::max(Duration::zero(), deadline - clock.monotonic())));
    }
    if (!any) return {};
    if (clock.monotonic() >= deadline)
      return fail(ErrorCode::kDeadlineExceeded, cat("cannot end the keeper of ", bundle));
  }
}

}  // namespace skerry
