// What a runtime's state directory holds, for its list().
#pragma once

#include <vector>

#include "oci/linux_runtime.h"
#include "oci/state_store.h"

namespace skerry::oci {

// Every container of the store as the runtime sees it. One that goes away meanwhile is left out; one whose record
// cannot be read is warned of and left out.
Result<std::vector<ContainerView>> list_containers(Runtime& runtime, const StateStore& store,
                                                   const RuntimeOptions& options);

}  // namespace skerry::oci
