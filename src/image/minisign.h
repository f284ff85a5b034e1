// Signatures of minisign(1), by the keys that an administrator trusts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skerry {

// Whether one of `key_files` (public keys, as minisign -G writes them) has signed `text`; `signature` is the content of
// the .minisig file. kRefused says that none has; kUnsupported: minisign is not installed.
Status check_signature(std::string_view text, const std::string& signature, const std::vector<std::string>& key_files);

}  // namespace skerry
