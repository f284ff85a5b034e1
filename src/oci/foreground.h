// Staying with a program until it ends: signals are passed on to it and, when we hold its terminal, its bytes too.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "oci/launch.h"

namespace skerry::oci {

// Takes the signals that are to be passed on, from its making on: none gets lost between fork and wait.
class ForegroundSignals {
 public:
  ForegroundSignals();
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  Fd fd_;
};

// Waits for the process (a child of ours) and answers with its shell code. `console` is the socket on which the
// terminal's master arrives; unset without a terminal.
Result<int> wait_in_foreground(const Launched& launched, const ForegroundSignals& signals, Fd console);

}  // namespace skerry::oci
