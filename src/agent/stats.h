// What the guest uses, read from /proc (proc(5)) and statfs(2).
#pragma once

#include <string_view>

#include "wire/agent_protocol.h"

namespace skerry::agent {

// What cannot be read stays 0.
wire::GuestStats sample_stats();

// The parsers, pure: /proc/meminfo, /proc/stat, /proc/net/dev.
void read_meminfo(std::string_view text, wire::GuestStats& stats);
void read_stat(std::string_view text, long ticks_per_second, wire::GuestStats& stats);
void read_net_dev(std::string_view text, wire::GuestStats& stats);

}  // namespace skerry::agent
