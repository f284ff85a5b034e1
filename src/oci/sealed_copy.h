// What stands in where the kernel cannot change what /proc/self/exe means (final_exec.h): prctl(2) PR_SET_MM_MAP takes
// CONFIG_CHECKPOINT_RESTORE, and a filter may forbid it.
//
// The runtime then runs from the start as a copy of itself in a sealed memory file: whoever gets at /proc/PID/exe can
// read it and run it, but nobody can change it, and the file on the host is out of reach (CVE-2019-5736). It costs the
// copy, about a millisecond and the program's size for as long as a created container waits.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace skerry::oci {

// PR_SET_MM_MAP is there.
bool can_hide_program();
// The program of this process is a memory file that nobody can write to any more.
bool runs_from_sealed_copy();

// Becomes the copy, if that is needed and not done yet; returns when nothing is to be done. argv as main() got it.
Status run_from_sealed_copy(char** argv);

}  // namespace skerry::oci
