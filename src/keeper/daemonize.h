// Leaving the parent: after it the keeper has its own session and no tie to who started it.
#pragma once

#include "base/result.h"

namespace skerry::keeper {

// Forks twice with setsid(2) in between; the caller's process ends with exit code 0, so that a waiting parent goes on.
// Standard input, output and error become /dev/null, the working directory /.
Status daemonize();

}  // namespace skerry::keeper
