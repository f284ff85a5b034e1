// Listener: a unix socket on the event loop. Its file is mode 0600: whoever may open it may everything behind it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/event_loop.h"
#include "base/fd.h"
#include "base/result.h"

namespace skerry::keeper {

class Listener {
 public:
  using Accepted = std::function<void(Fd client)>;
  // A stale socket file is replaced.
  static Result<std::unique_ptr<Listener>> open(EventLoop& loop, std::string path, Accepted accepted);
  // Removes the socket file.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Leaves clients waiting in the kernel's queue, or takes them again.
  void pause();
  void resume();

 private:
  Listener(EventLoop& loop, std::string path, Fd fd, Accepted accepted)
      : loop_(loop), path_(std::move(path)), fd_(std::move(fd)), accepted_(std::move(accepted)) {}
  void on_client();

  EventLoop& loop_;
  std::string path_;
  Fd fd_;
  Accepted accepted_;
  EventLoop::TimerId retry_ = 0;
};

}  // namespace skerry::keeper
