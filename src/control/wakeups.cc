#include "control/wakeups.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "base/log.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry {
namespace {

constexpr std::uint64_t kWakeToken = 0;

Status epoll_add(int epoll, int fd, std::uint64_t token, std::uint32_t flags) {
  epoll_event event{};
  event.events = EPOLLIN | flags;
  event.data.u64 = token;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) return fail_errno("epoll_ctl");
  return {};
}

void poke(int eventfd) {
  const std::uint64_t one = 1;
  static_cast<void>(sys::write_all(eventfd, std::string_view(reinterpret_cast<const char*>(&one), sizeof one)));
}

}  // namespace

Result<std::unique_ptr<Wakeups>> Wakeups::create(Clock& clock, Callback callback) {
  Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return fail_errno("epoll_create1");
  Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return fail_errno("eventfd");
  TRY(epoll_add(epoll.get(), wake.get(), kWakeToken, 0));
  return std::unique_ptr<Wakeups>(new Wakeups(clock, std::move(callback), std::move(epoll), std::move(wake)));
}

Wakeups::Wakeups(Clock& clock, Callback callback, Fd epoll, Fd wake)
    : clock_(clock), callback_(std::move(callback)), epoll_(std::move(epoll)), wake_(std::move(wake)) {
  thread_ = std::thread([this] { run(); });
}

Wakeups::~Wakeups() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  poke(wake_.get());
  thread_.join();
}

Status Wakeups::watch(const std::string& id, Fd fd) {
  const std::lock_guard lock(mutex_);
  unwatch(id);
  const std::uint64_t token = next_token_++;
  TRY(epoll_add(epoll_.get(), fd.get(), token, EPOLLONESHOT));
  watched_[id] = Watched{std::move(fd), token};
  tokens_[token] = id;
  return {};
}

void Wakeups::unwatch(const std::string& id) {
  const auto found = watched_.find(id);
  if (found == watched_.end()) return;
  // Closing is not enough: the registration belongs to the open file, of which others may hold a descriptor too.
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second.fd.get(), nullptr);
  tokens_.erase(found->second.token);
  watched_.erase(found);
}

void Wakeups::at(const std::string& id, MonoTime when) {
  {
    const std::lock_guard lock(mutex_);
    timers_[id] = when;
  }
  poke(wake_.get());
}

void Wakeups::look() { poke(wake_.get()); }

void Wakeups::forget(const std::string& id) {
  const std::lock_guard lock(mutex_);
  timers_.erase(id);
  unwatch(id);
}

int Wakeups::collect_due(std::vector<std::string>& due) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return -2;
  const MonoTime now = clock_.monotonic();
  Duration nearest{-1};
  for (auto timer = timers_.begin(); timer != timers_.end();) {
    const Duration left = timer->second - now;
    if (left.count() <= 0) {
      due.push_back(timer->first);
      timer = timers_.erase(timer);
      continue;
    }
    nearest = nearest.count() < 0 ? left : std::min(nearest, left);
    ++timer;
  }
  if (nearest.count() < 0) return -1;
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(nearest).count() + 1;
  return static_cast<int>(std::min<std::int64_t>(ms, 3'600'000));
}

void Wakeups::run() {
  while (true) {
    std::vector<std::string> due;
    const int timeout = collect_due(due);
    if (timeout == -2) return;
    for (const auto& id : due) callback_(id);
    std::array<epoll_event, 64> events{};
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout);
    for (int i = 0; i < count; ++i) {
      const std::uint64_t token = events.at(static_cast<std::size_t>(i)).data.u64;
      if (token == kWakeToken) {
        std::uint64_t value = 0;
        static_cast<void>(sys::read(wake_.get(), &value, sizeof value));
        continue;
      }
      std::string id;
      {
        const std::lock_guard lock(mutex_);
        const auto found = tokens_.find(token);
        if (found == tokens_.end()) continue;
        id = found->second;
        unwatch(id);
      }
      callback_(id);
    }
  }
}

}  // namespace skerry
