// From the installed plugins to what they want to be kept ready (control/warm_pool.h).
#pragma once

#include <functional>
#include <vector>

#include "base/result.h"
#include "control/warm_pool.h"
#include "core/command.h"
#include "image/store.h"
#include "store/store.h"

namespace skerry {

// A creation request with what its plugin says filled in.
using CompleteSpec = std::function<Result<EnvironmentSpec>(const CreateCommand&)>;

// Of each plugin the version that its name stands for, when it is enabled and its manifest asks for a warm pool.
Result<std::vector<WarmShape>> warm_shapes(Store& store, ImageStore& images, const CompleteSpec& complete);

}  // namespace skerry
