// Base64 (RFC 4648 section 4): with padding, no line ends.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace skerry {

std::string base64_encode(std::string_view bytes);
// Strict: the canonical form only. kInvalidArgument for other letters, wrong padding or bits left over.
Result<std::string> base64_decode(std::string_view text);

}  // namespace skerry
