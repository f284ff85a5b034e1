#include "archive/copied_xattrs.h"

namespace skerry {

bool is_copied(CopiedXattrs kept, std::string_view name) {
  if (name == "security.capability") return kept == CopiedXattrs::kUserAndCapabilities;
  return kept != CopiedXattrs::kNone && name.starts_with("user.") && !name.starts_with("user.overlay.");
}

}  // namespace skerry
