// What the guest uses, read from /proc (proc(5)) and statfs(2).
#pragma once

#include <cstdint>
#include <string_view>

#include "wire/agent_protocol.h"

namespace skerry::agent {

// What cannot be read stays 0.
wire::GuestStats sample_stats();

// The parsers, pure: /proc/meminfo, /proc/stat, /proc/net/dev.
void read_meminfo(std::string_view text, wire::GuestStats& stats);
void read_stat(std::string_view text, long ticks_per_second, wire::GuestStats& stats);
void read_net_dev(std::string_view text, wire::GuestStats& stats);

// How often the kernel has killed a process for lack of memory: "oom_kill" of /proc/vmstat.
std::uint64_t oom_kills_in(std::string_view vmstat);

}  // namespace skerry::agent
