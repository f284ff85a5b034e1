// Signals by name, as people write them: "TERM", "SIGTERM", "sigterm", "15" (signal(7)).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace skerry {

// kInvalidArgument for what is no signal of this system.
Result<int> parse_signal(std::string_view text);
// "TERM"; the number when it has no name.
std::string signal_name(int number);

}  // namespace skerry
