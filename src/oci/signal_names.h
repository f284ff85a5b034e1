// Signals as callers write them: "9", "KILL", "SIGKILL", "sigkill", "RTMIN+3".
#pragma once

#include <string_view>

#include "base/result.h"

namespace skerry::oci {

Result<int> parse_signal(std::string_view text);

}  // namespace skerry::oci
