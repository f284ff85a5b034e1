#include "keeper/children.h"

#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <optional>

#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::keeper {

Status become_subreaper() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) return fail_errno("prctl PR_SET_CHILD_SUBREAPER");
  return {};
}

Result<std::unique_ptr<Children>> Children::watch(EventLoop& loop, pid_t main, Handlers handlers) {
  sigset_t mask;
  ::sigemptyset(&mask);
  ::sigaddset(&mask, SIGCHLD);
  ::sigaddset(&mask, SIGTERM);
  if (::sigprocmask(SIG_BLOCK, &mask, nullptr) < 0) return fail_errno("sigprocmask");
  Fd signals(::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return fail_errno("signalfd");
  Fd pidfd = TRY(open_pidfd(main));
  std::unique_ptr<Children> children(
      new Children(loop, main, std::move(pidfd), std::move(signals), std::move(handlers)));
  auto* self = children.get();
  TRY(loop.watch(self->signals_.get(), EPOLLIN, [self](std::uint32_t) { self->on_signals(); }));
  // A SIGCHLD from before the mask is gone: look once without one, from the loop like any other.
  loop.after(Duration(0), [self] { self->reap(); });
  return children;
}

void Children::on_signals() {
  signalfd_siginfo info{};
  bool terminate = false;
  while (const auto got = sys::read(signals_.get(), &info, sizeof info)) {
    if (*got != sizeof info) break;
    terminate = terminate || info.ssi_signo == SIGTERM;
  }
  reap();
  if (terminate) handlers_.terminate();
}

void Children::reap() const {
  std::optional<ExitStatus> main_status;
  while (true) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) break;
    if (pid != main_) continue;
    main_status.emplace();
    if (WIFEXITED(status)) main_status->code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) main_status->signal = WTERMSIG(status);
  }
  if (main_status) handlers_.main_ended(*main_status);
}

void Children::signal_main(int signal_number) const {
  // A process that has just ended is no error, and a client is told of its end anyway.
  static_cast<void>(send_signal(pidfd_.get(), signal_number));
}

}  // namespace skerry::keeper
