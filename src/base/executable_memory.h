// Programs in memory: files without a name that can be executed and, once sealed, changed by nobody.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace skerry {

// An empty one (memfd_create(2)), to be filled and sealed; with MFD_EXEC where the kernel knows it, for hosts may
// forbid the execution of others.
Result<Fd> executable_memory(const std::string& name);

// Seals it for good (F_ADD_SEALS, fcntl(2)) and answers a descriptor that can be executed: a file that is open for
// writing is nobody's program.
Result<Fd> sealed_memory(Fd memory);

}  // namespace skerry
