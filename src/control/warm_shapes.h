// From the installed plugins, and what was asked for lately, to what is to be kept ready (control/warm_pool.h).
#pragma once

#include <functional>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "control/asked_lately.h"
#include "control/warm_pool.h"
#include "control/zones.h"
#include "core/command.h"
#include "image/store.h"
#include "store/store.h"

namespace skerry {

// A creation request with what its plugin says filled in.
using CompleteSpec = std::function<Result<EnvironmentSpec>(const CreateCommand&)>;

struct WarmShapePorts {
  Store& store;
  ImageStore& images;
  Zones& zones;
  CompleteSpec complete;
};

// Of each plugin the version that its name stands for, when it is enabled and its manifest asks for a warm pool; behind
// them what was asked for lately and still can be had, unless a plugin's wish is the same.
Result<std::vector<WarmShape>> warm_shapes(const WarmShapePorts& ports, AskedLately& asked, MonoTime now);

}  // namespace skerry
