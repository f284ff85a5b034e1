#include "cli/interrupt.h"

namespace skerry::cli {
namespace {
volatile std::sig_atomic_t flag = 0;
}

const volatile std::sig_atomic_t& interrupted() { return flag; }

InterruptGuard::InterruptGuard() {
  flag = 0;
  struct sigaction action{};
  action.sa_handler = [](int) { flag = 1; };
  // Without SA_RESTART the read returns.
  ::sigaction(SIGINT, &action, &before_);
}

InterruptGuard::~InterruptGuard() { ::sigaction(SIGINT, &before_, nullptr); }

}  // namespace skerry::cli
