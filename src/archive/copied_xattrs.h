// Which extended attributes go along with a copied file (xattr(7)).
//
// Never what a kernel or a security module of one side would obey on the other: trusted.* (overlayfs keeps its
// whiteouts there), security.* but for file capabilities, user.overlay.* (the same for overlayfs in a user namespace).
#pragma once

#include <cstdint>
#include <string_view>

namespace skerry {

enum class CopiedXattrs : std::uint8_t {
  kNone,
  kUser,                 // user.*
  kUserAndCapabilities,  // and security.capability: whoever unpacks it needs the right to give a program capabilities
};

bool is_copied(CopiedXattrs kept, std::string_view name);

}  // namespace skerry
