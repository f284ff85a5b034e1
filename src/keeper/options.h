// The command line of skerry-keeper, parsed into the values of base/keeper_protocol.h. keeper_arguments() is its
// inverse: what the one writes, the other reads.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/keeper_protocol.h"

namespace skerry::keeper {

struct ShowVersion {};
using Invocation = std::variant<KeeperRunSpec, KeeperExecSpec, ShowVersion>;

// `args` without the program's name. kInvalidArgument names the flag that is wrong or missing.
Result<Invocation> parse_options(const std::vector<std::string>& args);

}  // namespace skerry::keeper
