// Passages: what the policy opens between zones and out of them (core/net_policy.h), as sets and rules of the table of
// firewall.h. One port counts before all ports.
//
//   crossing   zone → another zone      closed but for what is allowed
//   leaving    zone → beyond the host   as the zone's egress says, but for what is allowed or denied
//
// Both look at every packet of who began, not at the first one alone: what is closed is closed for open connections
// too.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/net_policy.h"

namespace skerry::network {

// Lines of the table's fixed part.
std::vector<std::string> passage_collections();
// Of the chain "crossing", behind the bridges' own traffic; what falls through is closed.
std::vector<std::string> crossing_rules();
// First in the chain "leaving"; what falls through is the zone's egress' to say.
std::vector<std::string> leaving_rules();
// In postrouting: who leaves by a rule leaves behind the host's address.
std::vector<std::string> passage_nat_rules();

// The commands that turn the elements of `from` into those of `to`; empty when they are the same.
std::string passage_commands(const std::string& table, const NetPolicy& from, const NetPolicy& to);

}  // namespace skerry::network
