// The end of the main process, and of whatever else becomes a child of a subreaper.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>

#include "base/event_loop.h"
#include "base/fd.h"
#include "base/process.h"

namespace skerry::keeper {

// PR_SET_CHILD_SUBREAPER (prctl(2)): orphaned descendants become our children instead of init's.
Status become_subreaper();

// Reaps all children as they end (SIGCHLD by signalfd(2)) and tells of one of them. From its creation on SIGCHLD and
// SIGTERM are blocked in this thread.
class Children {
 public:
  struct Handlers {
    std::function<void(ExitStatus status)> main_ended;
    std::function<void()> terminate;  // SIGTERM came
  };
  static Result<std::unique_ptr<Children>> watch(EventLoop& loop, pid_t main, Handlers handlers);
  ~Children() { loop_.forget(signals_.get()); }
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  // To the main process, if it has not ended.
  void signal_main(int signal_number) const;

 private:
  Children(EventLoop& loop, pid_t main, Fd pidfd, Fd signals, Handlers handlers)
      : loop_(loop),
        main_(main),
        pidfd_(std::move(pidfd)),
        signals_(std::move(signals)),
        handlers_(std::move(handlers)) {}
  void on_signals();
  void reap() const;

  EventLoop& loop_;
  pid_t main_;
  Fd pidfd_;
  Fd signals_;
  Handlers handlers_;
};

}  // namespace skerry::keeper
