// Ties an operation of the API to long work of the image store.
#pragma once

#include "control/operations.h"
#include "image/work.h"

namespace skerry {

// Reports into the operation, and asks it whether to go on. `progress` must outlive the work.
inline Work work_of(OperationProgress& progress) {
  return {[&](const Progress& now) { progress.report(now.stage, now.done, now.total); },
          [&] { return progress.cancelled(); }};
}

}  // namespace skerry
