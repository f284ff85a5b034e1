#include "base/directory_watch.h"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.h"

namespace skerry {

namespace {

constexpr long kLookAgainNs = 200'000'000;

// EMFILE: no instance left; ENOSPC: no watch.
bool is_exhausted(int error) { return error == EMFILE || error == ENOSPC; }

Result<Fd> ticking() {
  Fd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer) return fail_errno("timerfd_create");
  const itimerspec period{{0, kLookAgainNs}, {0, kLookAgainNs}};
  if (::timerfd_settime(timer.get(), 0, &period, nullptr) < 0) return fail_errno("timerfd_settime");
  return timer;
}

}  // namespace

Result<DirectoryWatch> DirectoryWatch::create(const std::string& directory) {
  struct stat info{};
  if (::stat(directory.c_str(), &info) < 0) return fail_errno(cat("watch ", directory));
  Fd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify && is_exhausted(errno)) return DirectoryWatch(TRY(ticking()));
  if (!inotify) return fail_errno("inotify_init1");
  constexpr std::uint32_t kEvents = IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR;
  if (::inotify_add_watch(inotify.get(), directory.c_str(), kEvents) < 0) {
    if (is_exhausted(errno)) return DirectoryWatch(TRY(ticking()));
    return fail_errno(cat("watch ", directory));
  }
  return DirectoryWatch(std::move(inotify));
}

Status DirectoryWatch::clear() {
  alignas(inotify_event) std::array<char, 4096> buffer;  // NOLINT(*-member-init): filled by read
  while (true) {
    const auto got = ::read(source_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return {};
    if (got < 0) return fail_errno("read watch");
  }
}

Result<bool> DirectoryWatch::wait(Duration timeout) const {
  const SystemClock clock;
  const MonoTime deadline = clock.monotonic() + timeout;
  while (true) {
    const auto left_ms = std::max<std::int64_t>(0, (deadline - clock.monotonic()).count() / 1'000'000);
    pollfd poll_fd{source_.get(), POLLIN, 0};
    const int ready = ::poll(&poll_fd, 1, static_cast<int>(std::min<std::int64_t>(left_ms, 1'000'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return fail_errno("poll watch");
    if (ready == 0 && left_ms == 0) return false;
  }
}

}  // namespace skerry
