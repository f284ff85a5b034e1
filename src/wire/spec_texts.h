// The short forms people write: -v, --restart, -e and --cpu on the command line, and the same strings in JSON.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "core/environment.h"

namespace skerry::wire {

// "no", "on-failure", "on-failure:3", "always", "unless-stopped".
Result<RestartPolicy> parse_restart_policy(std::string_view text);
// "SRC:DST[:ro|:rw]", both absolute.
Result<BindMount> parse_bind_mount(std::string_view text);
// "K=V".
Result<std::pair<std::string, std::string>> parse_variable(std::string_view text);
// "2", "0.5": cores with at most three decimals, as thousandths.
Result<std::uint32_t> parse_cores(std::string_view text);

}  // namespace skerry::wire
