// EventLoop: one thread waiting for many descriptors and deadlines (epoll(7), level-triggered).
//
// Handlers run one after the other on the thread that calls run(). A handler may watch, change, forget and stop
// anything, itself included. Descriptors are borrowed: forget() them before they are closed.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"

namespace skerry {

class EventLoop {
 public:
  using Handler = std::function<void(std::uint32_t events)>;  // EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR …
  using TimerId = std::uint64_t;                              // never 0

  static Result<EventLoop> create();

  // Starts, changes, ends watching. EPOLLHUP and EPOLLERR always come: to hear nothing, forget the descriptor.
  Status watch(int fd, std::uint32_t events, Handler handler);
  Status change(int fd, std::uint32_t events);
  void forget(int fd);
  [[nodiscard]] bool watches(int fd) const { return tokens_.contains(fd); }

  // Calls `handler` once, `delay` from now. cancel() of an unknown or past timer does nothing.
  TimerId after(Duration delay, std::function<void()> handler);
  void cancel(TimerId timer);

  // Handles events until stop(). Fails only when epoll itself does.
  Status run();
  void stop() { stopped_ = true; }

 private:
  explicit EventLoop(Fd epoll) : epoll_(std::move(epoll)) {}
  int wait_ms() const;
  void run_due_timers();

  struct Timer {
    TimerId id = 0;
    std::function<void()> handler;
  };
  Fd epoll_;
  // An event carries the token of its watch, not the descriptor: a number closed and opened again within one batch of
  // events must not get the old one's event.
  std::map<int, std::uint64_t> tokens_;
  std::map<std::uint64_t, std::shared_ptr<Handler>> handlers_;
  std::multimap<MonoTime, Timer> timers_;
  std::uint64_t next_token_ = 1;
  bool stopped_ = false;
};

}  // namespace skerry
