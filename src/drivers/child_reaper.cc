#include "drivers/child_reaper.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <map>
#include <system_error>
#include <thread>

#include "base/log.h"

namespace skerry {

// The thread sleeps in epoll; the map is shared with adopt() under its own mutex.
struct ChildReaper::Worker {
  Fd epoll;
  Fd stop;
  std::mutex mutex;
  std::map<int, Child> children;  // guarded; by pidfd
  std::thread thread;

  ~Worker() {
    if (!thread.joinable()) return;
    ::eventfd_write(stop.get(), 1);
    thread.join();
  }

  Status open() {
    epoll = Fd(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll) return fail_errno("epoll_create1");
    stop = Fd(::eventfd(0, EFD_CLOEXEC));
    if (!stop) return fail_errno("eventfd");
    return watch(stop.get());
  }

  Status watch(int fd) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) < 0) return fail_errno("epoll_ctl");
    return {};
  }

  void reap(int pidfd) {
    const std::lock_guard lock(mutex);
    const auto child = children.find(pidfd);
    if (child == children.end()) return;
    if (auto waited = child->second.wait(Duration::zero()); !waited) {
      log::warning("cannot reap a child", {{"error", waited.error().message()}});
    }
    ::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, pidfd, nullptr);
    children.erase(child);
  }

  void run() {
    while (true) {
      epoll_event event{};
      const int ready = ::epoll_wait(epoll.get(), &event, 1, -1);
      if (ready < 0 && errno != EINTR) return;
      if (ready <= 0) continue;
      if (event.data.fd == stop.get()) return;
      reap(event.data.fd);
    }
  }
};

ChildReaper::ChildReaper() : mutex_(std::make_unique<std::mutex>()) {}
ChildReaper::~ChildReaper() = default;
ChildReaper::ChildReaper(ChildReaper&&) noexcept = default;

Status ChildReaper::adopt(Child child) {
  const std::lock_guard lock(*mutex_);
  if (!worker_) {
    auto worker = std::make_unique<Worker>();
    TRY(worker->open());
    try {
      worker->thread = std::thread([raw = worker.get()] { raw->run(); });
    } catch (const std::system_error& error) {
      return fail(Error::from_errno(error.code().value(), "start a thread for ended processes"));
    }
    worker_ = std::move(worker);
  }
  const int pidfd = child.pidfd();
  {
    const std::lock_guard children_lock(worker_->mutex);
    worker_->children.emplace(pidfd, std::move(child));
  }
  return worker_->watch(pidfd);
}

}  // namespace skerry
