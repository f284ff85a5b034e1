// What a skerryd that was killed while it wrote a file has left beside it.
#pragma once

#include <string>

#include "base/result.h"

namespace skerry {

// Removes the files "NAME.tmp" and "NAME.tmp.XXXXXX" (base/file_io.h, and the copies of disks) of the state directory,
// of the stores in it, and of each environment. Only while nobody else uses that directory.
Status remove_unfinished_files(const std::string& state_dir);

}  // namespace skerry
