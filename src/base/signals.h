// Signal actions and masks of a process about to run another program (signal(7), "Signal dispositions").
#pragma once

namespace skerry {

// Every signal back to its default action. By the kernel's own call: glibc's sigaction(2) refuses 32 and 33, which it
// keeps for its threads, so a parent that ignores them (CI runners do) would pass that on. Async-signal-safe.
void reset_signal_actions();
// Nothing blocked. Async-signal-safe.
void unblock_signals();

}  // namespace skerry
