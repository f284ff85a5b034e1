#include "base/event_loop.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include "base/text.h"

namespace skerry {

Result<EventLoop> EventLoop::create() {
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) return fail_errno("epoll_create1");
  return EventLoop(Fd(fd));
}

Status EventLoop::watch(int fd, std::uint32_t events, Handler handler) {
  const std::uint64_t token = next_token_++;
  epoll_event event{};
  event.events = events;
  event.data.u64 = token;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) < 0) return fail_errno(cat("watch fd ", fd));
  tokens_[fd] = token;
  handlers_[token] = std::make_shared<Handler>(std::move(handler));
  return {};
}

Status EventLoop::change(int fd, std::uint32_t events) {
  const auto found = tokens_.find(fd);
  if (found == tokens_.end()) return fail(ErrorCode::kInternal, cat("change of unwatched fd ", fd));
  epoll_event event{};
  event.events = events;
  event.data.u64 = found->second;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) < 0) return fail_errno(cat("change watch of fd ", fd));
  return {};
}

void EventLoop::forget(int fd) {
  const auto found = tokens_.find(fd);
  if (found == tokens_.end()) return;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  handlers_.erase(found->second);
  tokens_.erase(found);
}

EventLoop::TimerId EventLoop::after(Duration delay, std::function<void()> handler) {
  const TimerId id = next_token_++;
  timers_.emplace(SystemClock().monotonic() + delay, Timer{id, std::move(handler)});
  return id;
}

void EventLoop::cancel(TimerId timer) {
  const auto found = std::ranges::find_if(timers_, [&](const auto& entry) { return entry.second.id == timer; });
  if (found != timers_.end()) timers_.erase(found);
}

int EventLoop::wait_ms() const {
  if (timers_.empty()) return -1;
  const Duration left = timers_.begin()->first - SystemClock().monotonic();
  // Rounded up: waking a fraction too early would spin until the deadline.
  const std::int64_t ms = (left.count() + 999'999) / 1'000'000;
  return static_cast<int>(std::clamp<std::int64_t>(ms, 0, std::numeric_limits<int>::max()));
}

void EventLoop::run_due_timers() {
  const MonoTime now = SystemClock().monotonic();
  while (!stopped_ && !timers_.empty() && timers_.begin()->first <= now) {
    const auto node = timers_.extract(timers_.begin());
    node.mapped().handler();
  }
}

Status EventLoop::run() {
  stopped_ = false;
  std::array<epoll_event, 32> events;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by epoll_wait
  while (!stopped_) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_ms());
    if (count < 0 && errno != EINTR) return fail_errno("epoll_wait");
    for (int i = 0; i < count && !stopped_; ++i) {
      const auto found = handlers_.find(events.at(static_cast<std::size_t>(i)).data.u64);
      if (found == handlers_.end()) continue;  // forgotten by an earlier handler of this batch
      const auto handler = found->second;      // kept alive while it runs, even when it forgets itself
      (*handler)(events.at(static_cast<std::size_t>(i)).events);
    }
    run_due_timers();
  }
  return {};
}

}  // namespace skerry
