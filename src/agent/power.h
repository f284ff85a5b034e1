// The end of the guest: every process ended, file systems written, power off. Only PID 1 may call these.
#pragma once

namespace skerry::agent {

// SIGKILL to everything but ourselves, reaped; then sync(2). Bounded: a process in the kernel is not waited for longer
// than a second.
void end_all_processes();
// Flushes, freezes the file system of `writable_layer` (so that its journal is clean; -1: none) and powers the machine
// off. Does not return.
[[noreturn]] void power_off(int writable_layer);

}  // namespace skerry::agent
