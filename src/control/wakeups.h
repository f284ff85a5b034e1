// Wakeups: one thread that waits for ends of runs (descriptors) and for times, and then calls back.
//
// Everything is one-shot and keyed by environment id: a new registration of the same sort replaces the old one.
// Callbacks run on the wakeup thread and must be short (they post to a queue).
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"

namespace skerry {

class Wakeups {
 public:
  using Callback = std::function<void(const std::string& id)>;

  static Result<std::unique_ptr<Wakeups>> create(Clock& clock, Callback callback);
  ~Wakeups();
  Wakeups(const Wakeups&) = delete;
  Wakeups& operator=(const Wakeups&) = delete;

  // Calls back when `fd` (a pidfd, say) polls readable.
  Status watch(const std::string& id, Fd fd);
  // Calls back at `when`, by the clock's monotonic time.
  void at(const std::string& id, MonoTime when);
  // Looks at the clock again: it waits in the kernel's time, which does not tell of a clock that was moved.
  void look();
  // Forgets both.
  void forget(const std::string& id);

 private:
  Wakeups(Clock& clock, Callback callback, Fd epoll, Fd wake);
  void run();
  void unwatch(const std::string& id);  // the lock is held
  // Takes out what is due; the time of the next one in milliseconds, -1 for none.
  int collect_due(std::vector<std::string>& due);

  Clock& clock_;
  Callback callback_;
  Fd epoll_;
  Fd wake_;  // eventfd: a change of the registrations, or the end
  std::mutex mutex_;
  struct Watched {
    Fd fd;
    std::uint64_t token = 0;
  };
  std::map<std::string, Watched> watched_;
  std::map<std::uint64_t, std::string> tokens_;
  std::uint64_t next_token_ = 1;
  std::map<std::string, MonoTime> timers_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace skerry
