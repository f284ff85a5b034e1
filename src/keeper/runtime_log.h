// The log that an OCI runtime writes with `--log F --log-format json`: one JSON object a line with level, msg, time.
// Only what the keeper needs of it is read here: base includes no JSON library, and the keeper only base.
#pragma once

#include <string>
#include <string_view>

namespace skerry::keeper {

// The msg of the last line whose level is "error" (or "fatal"); empty when there is none. Anything malformed is
// skipped.
std::string last_error(std::string_view log);

}  // namespace skerry::keeper
