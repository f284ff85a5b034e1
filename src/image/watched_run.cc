#include "image/watched_run.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "base/fd.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry {
namespace {

constexpr auto kTick = std::chrono::milliseconds(100);

// Reads what is there, at most `limit` bytes are kept; false at the end.
bool drain(int fd, std::string& into, std::size_t limit) {
  std::array<char, 16384> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
  const auto got = sys::read(fd, buffer.data(), buffer.size());
  if (!got || *got == 0) return false;
  into.append(buffer.data(), std::min(*got, limit - std::min(limit, into.size())));
  return true;
}

// Ends the child when it goes out of scope still running.
class ScopedChild {
 public:
  explicit ScopedChild(Child child) : child_(std::move(child)) {}
  ScopedChild(const ScopedChild&) = delete;
  ScopedChild& operator=(const ScopedChild&) = delete;
  ~ScopedChild() {
    if (waited_) return;
    // Nothing more can be done when this fails: the child has PDEATHSIG as well.
    std::ignore = child_.signal(SIGKILL);
    std::ignore = child_.wait();
  }
  Result<ExitStatus> wait() {
    waited_ = true;
    return child_.wait();
  }

 private:
  Child child_;
  bool waited_ = false;
};

}  // namespace

Result<WatchedRun> run_watched(SpawnSpec spec, const std::function<Status(pid_t)>& tick, std::size_t limit) {
  auto out = TRY(sys::pipe());
  auto err = TRY(sys::pipe());
  spec.fds.push_back({out.write_end.get(), 1});
  spec.fds.push_back({err.write_end.get(), 2});
  spec.parent_death_signal = SIGKILL;
  Child spawned = TRY(Child::spawn(spec));
  const pid_t tool = spawned.pid();
  ScopedChild child(std::move(spawned));
  out.write_end.reset();
  err.write_end.reset();
  WatchedRun run;
  while (out.read_end || err.read_end) {
    std::array<pollfd, 2> polls{pollfd{out.read_end.get(), POLLIN, 0}, pollfd{err.read_end.get(), POLLIN, 0}};
    if (::poll(polls.data(), polls.size(), static_cast<int>(kTick.count())) < 0 && errno != EINTR) {
      return fail_errno(cat("poll ", spec.argv[0]));
    }
    if (polls[0].revents != 0 && !drain(out.read_end.get(), run.out, limit)) out.read_end.reset();
    if (polls[1].revents != 0 && !drain(err.read_end.get(), run.err, limit)) err.read_end.reset();
    TRY(tick(tool));
  }
  run.status = TRY(child.wait());
  return run;
}

Result<WatchedRun> run_watched(SpawnSpec spec, const std::function<Status()>& tick, std::size_t limit) {
  return run_watched(std::move(spec), [&](pid_t) { return tick(); }, limit);
}

}  // namespace skerry
