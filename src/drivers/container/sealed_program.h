// A program for a container that has none of ours: a copy in memory, so that nobody in there can reach the host's file.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace skerry {

// To be executed by its descriptor; nothing can change it.
Result<Fd> sealed_program(const std::string& path);

}  // namespace skerry
