// The names inside an archive: one checked form for all who read one.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace skerry {

inline constexpr std::size_t kMaxEntryPath = 4095;  // PATH_MAX without its end
inline constexpr std::size_t kMaxEntryName = 255;   // NAME_MAX

// "./usr//bin/" → "usr/bin"; "./" and "/" → "". kCorrupt on absolute paths, ".." and over-long names.
Result<std::string> normalise_entry_path(std::string_view raw);

// The part before the last '/', "" when there is none; and the part behind it.
std::string_view parent_of(std::string_view path);
std::string_view name_of(std::string_view path);

// A path for an error message: control bytes replaced, cut to a readable length.
std::string printable(std::string_view path);

}  // namespace skerry
