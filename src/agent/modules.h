// Kernel modules from the initramfs (image/initramfs_builder.h puts them there).
#pragma once

#include <string>

#include "base/result.h"

namespace skerry::agent {

// Loads what `directory`/order names, one file name a line, in that order (finit_module(2)). A module that is loaded
// already is fine; one that fails is skipped and named in the returned text (empty: all went well), because the guest
// may do without it. A missing list means: nothing to load.
std::string load_modules(const std::string& directory);

}  // namespace skerry::agent
