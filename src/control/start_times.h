// StartTimes: how long starts take, by isolation: from the moment a start is acted on until the workload runs.
#pragma once

#include <map>

#include "base/histogram.h"
#include "core/environment.h"

namespace skerry {

struct StartTimes {
  std::map<Isolation, Histogram> by_isolation;  // every isolation is there from the beginning: no lock for the map

  StartTimes() {
    for (const auto each : {Isolation::kContainer, Isolation::kMicrovm, Isolation::kVm}) {
      by_isolation[each];
    }
  }
};

}  // namespace skerry
