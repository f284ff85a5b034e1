// The frequency of this host's time stamp counter. The guest's kernel is told (tsc_early_khz), because without a PIT it
// cannot measure it and with one it measures wrongly under emulation.
#pragma once

#include <cstdint>

namespace skerry::qemu {

// In kHz, exact to a few parts in a million. Takes 50 ms the first time in a process.
std::uint64_t host_tsc_khz();

}  // namespace skerry::qemu
