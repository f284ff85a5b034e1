// Listing, signalling, freezing and removing control groups.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <memory>
#include <set>

#include "base/clock.h"
#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "oci/cgroup.h"

namespace skerry::oci {
namespace {

constexpr std::chrono::seconds kSettleTimeout{10};
constexpr std::chrono::seconds kRemoveTimeout{2};
constexpr int kPauseMs = 1;

// The kernel has no event for "v1 freezer done" or "group empty" that works everywhere: ask again after a moment.
void short_pause() { ::poll(nullptr, 0, kPauseMs); }

Status add_pids(const std::string& directory, std::set<int>& out) {
  auto text = read_file(directory + "/cgroup.procs");
  if (!text) {
    const int err = text.error().sys_errno;
    if (err == ENOENT || err == ENODEV || err == EOPNOTSUPP) return {};
    return fail(std::move(text).error());
  }
  for (const auto line : split(*text, '\n')) {
    if (!line.empty()) out.insert(TRY(parse_int<int>(line, "cgroup.procs")));
  }
  return {};
}

// Calls `visit(directory)` for the group and everything below it, deepest first.
template <typename Visit>
Status walk(const std::string& directory, Visit visit) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory.c_str()), ::closedir);
  if (!dir) {
    if (errno == ENOENT) return {};
    return fail_errno(cat("open ", directory));
  }
  while (const dirent* entry = ::readdir(dir.get())) {
    if (entry->d_type != DT_DIR || std::string_view(entry->d_name) == "." || std::string_view(entry->d_name) == "..") {
      continue;
    }
    TRY(walk(cat(directory, "/", entry->d_name), visit));
  }
  return visit(directory);
}

const CgroupRecord::Directory* find_unified(const CgroupRecord& record) {
  const auto found = std::ranges::find_if(record.directories, is_unified);
  return found == record.directories.end() ? nullptr : &*found;
}

const CgroupRecord::Directory* find_freezer(const CgroupRecord& record) {
  for (const auto& directory : record.directories) {
    if (std::ranges::find(directory.controllers, "freezer") != directory.controllers.end()) return &directory;
  }
  return nullptr;
}

Status freeze_v1(const std::string& directory, Freeze what) {
  const std::string wanted = what == Freeze::kFreeze ? "FROZEN" : "THAWED";
  const SystemClock clock;
  const auto deadline = clock.monotonic() + kSettleTimeout;
  while (clock.monotonic() < deadline) {
    TRY(write_existing(directory + "/freezer.state", wanted));
    for (int attempt = 0; attempt < 50; ++attempt) {
      const auto state = TRY(read_file(directory + "/freezer.state"));
      if (trim(state) == wanted) return {};
      short_pause();
    }
    // A task can be caught half way (between fork and freeze); thawing once lets it pass.
    if (what == Freeze::kFreeze) TRY(write_existing(directory + "/freezer.state", "THAWED"));
  }
  return fail(ErrorCode::kDeadlineExceeded, cat("freezer.state of ", directory, " did not become ", wanted));
}

Status freeze_v2(const std::string& directory, Freeze what) {
  const char wanted = what == Freeze::kFreeze ? '1' : '0';
  TRY(write_existing(directory + "/cgroup.freeze", std::string_view(&wanted, 1)));
  const Fd events = TRY(sys::open(directory + "/cgroup.events", O_RDONLY));
  const SystemClock clock;
  const auto deadline = clock.monotonic() + kSettleTimeout;
  const std::string line = cat("frozen ", wanted);
  while (clock.monotonic() < deadline) {
    char buffer[256];
    const auto got = ::pread(events.get(), buffer, sizeof buffer, 0);
    if (got < 0) return fail_errno("read cgroup.events");
    if (std::string_view(buffer, static_cast<std::size_t>(got)).find(line) != std::string_view::npos) return {};
    pollfd wait{events.get(), POLLPRI, 0};
    ::poll(&wait, 1, 100);
  }
  return fail(ErrorCode::kDeadlineExceeded, cat("cgroup.events of ", directory, " does not say \"", line, "\""));
}

bool has_file(const std::string& directory, std::string_view name) {
  return !sys::is_missing(cat(directory, "/", name));
}

// Without cgroup.kill: freeze so that nobody forks meanwhile, signal everybody, thaw so that they can die.
Status signal_each(const CgroupRecord& record, int signal_number) {
  const auto* freezer = find_freezer(record);
  if (freezer != nullptr) (void)freeze_v1(freezer->path, Freeze::kFreeze);
  const auto pids = cgroup_pids(record);
  if (pids) {
    for (const int pid : *pids) ::kill(pid, signal_number);
  }
  if (freezer != nullptr && !sys::is_missing(freezer->path)) TRY(freeze_v1(freezer->path, Freeze::kThaw));
  return pids ? Status{} : fail(pids.error());
}

Status remove_directory(const std::string& directory, MonoTime deadline) {
  const SystemClock clock;
  return walk(directory, [&](const std::string& group) -> Status {
    for (;;) {
      const auto removed = sys::rmdir(group);
      if (removed || removed.error().sys_errno == ENOENT) return {};
      if (removed.error().sys_errno != EBUSY || clock.monotonic() >= deadline) return removed;
      short_pause();
    }
  });
}

}  // namespace

Result<std::vector<int>> cgroup_pids(const CgroupRecord& record) {
  std::set<int> pids;
  // The unified group always knows its processes; on v1 any one hierarchy does, the freezer best (nobody delegates it).
  const auto* source = find_unified(record);
  if (const auto* freezer = find_freezer(record)) source = freezer;
  if (source != nullptr) {
    TRY(walk(source->path, [&](const std::string& group) { return add_pids(group, pids); }));
  }
  return std::vector<int>(pids.begin(), pids.end());
}

Status check_unused(const CgroupRecord& record) {
  const auto pids = TRY(cgroup_pids(record));
  if (pids.empty()) return {};
  return fail(ErrorCode::kConflict,
              cat("/linux/cgroupsPath: the group is in use, by process ", pids.front(), " for one"));
}

Status signal_cgroup(const CgroupRecord& record, int signal_number) {
  const auto* unified = find_unified(record);
  if (unified != nullptr && signal_number == SIGKILL && has_file(unified->path, "cgroup.kill")) {
    const auto killed = write_existing(unified->path + "/cgroup.kill", "1");
    if (!killed && killed.error().sys_errno != ENOENT && killed.error().sys_errno != ENODEV) return killed;
    // A group frozen by the v1 freezer does not act on the signal until it is thawed.
    const auto* freezer = find_freezer(record);
    if (freezer != nullptr && is_frozen(record)) return freeze_v1(freezer->path, Freeze::kThaw);
    return {};
  }
  return signal_each(record, signal_number);
}

Status freeze_cgroup(const CgroupRecord& record, Freeze what) {
  if (const auto* freezer = find_freezer(record)) return freeze_v1(freezer->path, what);
  const auto* unified = find_unified(record);
  if (unified != nullptr && has_file(unified->path, "cgroup.freeze")) return freeze_v2(unified->path, what);
  return fail(ErrorCode::kUnsupported, "no freezer: the container has no cgroup that can be frozen");
}

bool is_frozen(const CgroupRecord& record) {
  if (const auto* freezer = find_freezer(record)) {
    const auto state = read_file(freezer->path + "/freezer.state");
    return state && trim(*state) != "THAWED";
  }
  const auto* unified = find_unified(record);
  if (unified == nullptr) return false;
  const auto state = read_file(unified->path + "/cgroup.freeze");
  return state && trim(*state) == "1";
}

Status remove_cgroup(const CgroupRecord& record) {
  const SystemClock clock;
  const auto deadline = clock.monotonic() + kRemoveTimeout;
  for (const auto& directory : record.directories) {
    // The common case first: empty, gone with one call.
    const auto removed = sys::rmdir(directory.path);
    if (removed || removed.error().sys_errno == ENOENT) continue;
    TRY(signal_cgroup(record, SIGKILL));
    TRY_IN("remove cgroup", remove_directory(directory.path, deadline));
  }
  // systemd forgets an empty scope by itself; told, it does so at once and its name is free. A bus that does not answer
  // is no reason to keep a container.
  if (!record.scope.empty()) (void)stop_scope(record.scope);
  return {};
}

}  // namespace skerry::oci
