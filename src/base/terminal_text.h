// Text from outside (an image, a guest, a hook) on its way to a terminal.
#pragma once

#include <string>
#include <string_view>

namespace skerry {

// Control characters (C0 but for tab and line end, DEL, and C1 in UTF-8) as \xNN: what steers a terminal cannot come
// through. Everything else stays as it is.
std::string without_controls(std::string_view text);

}  // namespace skerry
