// Ctrl-C while we wait for the daemon: it ends the wait, not the program, so that what is under way can be cancelled.
#pragma once

#include <csignal>

namespace skerry::cli {

// Set by SIGINT while an InterruptGuard stands; made 0 by the next one. For HttpClient::stop_when().
const volatile std::sig_atomic_t& interrupted();

// Takes SIGINT from its disposition before; one at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  ~InterruptGuard();

 private:
  struct sigaction before_{};
};

}  // namespace skerry::cli
